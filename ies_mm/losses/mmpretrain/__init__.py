"""Adapters of mmpretrain's heads."""
