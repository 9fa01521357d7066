"""Arithmetic on one array."""
