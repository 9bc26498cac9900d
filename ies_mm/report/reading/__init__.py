"""Reading work directories into runs."""
