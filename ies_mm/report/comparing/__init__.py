"""Runs set beside each other: groups, figures, notes."""
