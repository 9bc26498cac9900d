"""What tools/gpu.py runs on a card."""
