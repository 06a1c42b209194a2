"""Learned weights: found on this machine, hashed, and loaded as numbers alone."""
