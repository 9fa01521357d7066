"""Second moments kept as rows and columns."""
