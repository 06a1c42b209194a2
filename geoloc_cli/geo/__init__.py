"""The Earth in float64: WGS84, ECEF, ENU, cells, and beliefs (mixtures on the sphere)."""
