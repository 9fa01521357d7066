"""What chains are made of: scales, clipping, decay, noise, averages."""
