"""Random Remove, the control."""
