"""Per-image losses of mmrotate's heads."""
