"""A photograph's file: finding it, reading what it says of itself, decoding it upright, its intrinsics."""
