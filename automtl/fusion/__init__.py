"""One number to rank by, made of several predictions: its free exponents and weights, searched."""
