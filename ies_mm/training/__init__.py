"""Training with MMEngine while pruning images from epochs."""
