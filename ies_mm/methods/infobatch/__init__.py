"""InfoBatch."""
