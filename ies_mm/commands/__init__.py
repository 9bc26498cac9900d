"""The commands of ``ies-mm``; ``tools/`` calls them from a checkout."""
