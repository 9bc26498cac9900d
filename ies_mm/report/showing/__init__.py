"""A comparison as table, JSON, pictures and page."""
