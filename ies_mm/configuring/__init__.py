"""Configs before training: what is read, changed and refused."""
