"""Metrics by groups of images or of classes."""
