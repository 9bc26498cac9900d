"""The entries and rounds of ``ies-mm tournament``."""
