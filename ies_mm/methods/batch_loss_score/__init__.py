"""Batch Loss Score."""
