"""EfficientTrain."""
