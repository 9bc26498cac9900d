"""Images whose labels may be wrong, according to a run's losses."""
