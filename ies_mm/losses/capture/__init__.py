"""Building blocks of adapters: registry, recorded calls, method overrides."""
