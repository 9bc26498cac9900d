"""The checks that tools/coverage.py runs on every model family."""
