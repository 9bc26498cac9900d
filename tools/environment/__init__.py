"""Modules of tools/setup_env.py, and a script of tools/carry.py."""
