"""Adapters of mmdet's heads."""
