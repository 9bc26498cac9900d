"""Losses over rows (anchors, points, RoIs) added up image by image."""
