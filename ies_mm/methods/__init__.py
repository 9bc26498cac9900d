"""The selection methods, a folder each: rule, hook, card."""
