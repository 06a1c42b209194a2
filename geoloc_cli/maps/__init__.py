"""Sparse 3-D maps: built from an index's photographs, georeferenced by their GPS, kept as COLMAP models."""
