"""What a training does to the model: gradient norm, loss, sharpness."""
