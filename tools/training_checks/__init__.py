"""Checks of whole trainings with IES, for tools/coverage.py --train."""
