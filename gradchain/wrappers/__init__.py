"""Transforms of transforms: accumulate, skip, average, lookahead."""
