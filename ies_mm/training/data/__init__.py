"""Which images are shown, and which image a sample shows."""
