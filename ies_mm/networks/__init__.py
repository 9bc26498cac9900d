"""Networks of the paper that OpenMMLab does not have."""
