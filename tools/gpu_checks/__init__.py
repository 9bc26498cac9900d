"""The parts of tools/gpu.py."""
