"""Configs before a training: what is read, changed and refused."""
