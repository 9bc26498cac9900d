"""Where selection methods meet MMEngine's events."""
