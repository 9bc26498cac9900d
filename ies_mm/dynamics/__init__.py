"""Training dynamics: gradient norm, loss and sharpness."""
