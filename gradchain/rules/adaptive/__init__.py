"""A second moment for each element."""
