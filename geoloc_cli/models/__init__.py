"""Learned models: named in a catalogue, pulled on purpose, found on this machine, and loaded as numbers alone."""
