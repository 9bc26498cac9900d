"""Forward passes over untrained images, without side effects."""
