"""Losses over rows (anchors, points, RoIs), summed by image."""
