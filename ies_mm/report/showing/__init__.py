"""A comparison as a table, JSON, pictures and a page."""
