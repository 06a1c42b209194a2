"""The same map over photos, on local processes."""
