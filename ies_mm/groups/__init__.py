"""Metrics by groups of images or classes."""
