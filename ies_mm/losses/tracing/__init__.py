"""Which image a row belongs to, followed through a head's flattening."""
