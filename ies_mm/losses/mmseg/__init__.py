"""Adapters of mmseg's heads."""
