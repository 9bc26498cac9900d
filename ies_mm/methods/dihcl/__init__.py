"""DIHCL."""
