"""Tracing of rows to their images through a head's flattening."""
