"""The hook that connects selection methods to MMEngine's events."""
