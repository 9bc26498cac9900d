"""A training with MMEngine in which images are left out of epochs."""
