"""A head's loss asked again, image by image: the general way and oracle."""
