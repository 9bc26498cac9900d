"""Images whose labels may be wrong, by the losses that a run recorded."""
