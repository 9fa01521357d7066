"""How state and parameters are kept: in fewer bits, and without losing what the bits cannot hold."""
