"""Search, verify, re-rank, and the position from verified neighbours."""
