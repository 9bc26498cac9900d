"""Per-image losses of mmpose's heads."""
