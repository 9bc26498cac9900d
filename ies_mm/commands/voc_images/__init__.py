"""How ``ies-mm make-voc`` draws its images."""
