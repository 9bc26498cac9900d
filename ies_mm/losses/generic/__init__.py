"""Re-evaluation of a head's loss per image: the general way and oracle."""
