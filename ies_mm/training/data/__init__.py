"""Sampling of the images, and identification of the image in a sample."""
