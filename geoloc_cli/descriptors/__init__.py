"""Photo -> one vector."""
