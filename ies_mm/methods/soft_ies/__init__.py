"""Soft IES: randomised IES."""
