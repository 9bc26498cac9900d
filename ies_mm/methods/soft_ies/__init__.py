"""Soft IES: IES by chance."""
