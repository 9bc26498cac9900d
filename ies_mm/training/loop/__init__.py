"""Epochs, iterations, schedules and batches of MMEngine's two loops."""
