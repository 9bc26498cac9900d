"""Small Loss & Rescale."""
