"""What is known of a training: observations, selection, checkpoints."""
