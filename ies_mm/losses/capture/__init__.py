"""What adapters are made of: registry, noted calls, overridden methods."""
