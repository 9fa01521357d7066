"""The sign of a momentum."""
