"""Instance-dependent Early Stopping."""
