"""OrderDP."""
