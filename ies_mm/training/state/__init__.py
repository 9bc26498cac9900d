"""The state of a training: observations, selection, checkpoints."""
