"""Selective-Backprop."""
