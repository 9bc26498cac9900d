"""Label noise: planted in a file and read by the training pipeline."""
