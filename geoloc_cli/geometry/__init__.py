"""Two-view geometry and rigid motions; arrays in, arrays out."""
