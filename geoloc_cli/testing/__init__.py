"""Synthetic scenes with known truth, shipped for tests, for the demo and for plugin authors."""
