"""Diagnosing a criterion from a recorded run: figures, table, pictures."""
