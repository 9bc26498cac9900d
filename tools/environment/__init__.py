"""What tools/setup_env.py and tools/carry.py need beside them."""
