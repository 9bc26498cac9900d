"""Comparing runs: groups, figures, notes."""
