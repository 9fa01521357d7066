"""Checkpoints: state by name, restored as far as it fits, checked; a kill loses nothing."""
