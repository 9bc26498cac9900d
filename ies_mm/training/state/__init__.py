"""The state of a training run: observations, selection, checkpoints."""
