"""What tools/coverage.py checks of every model family."""
