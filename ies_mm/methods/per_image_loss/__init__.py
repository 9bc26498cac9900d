"""Observation without selection."""
