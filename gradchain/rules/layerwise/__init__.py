"""Steps in proportion to a layer's norm."""
