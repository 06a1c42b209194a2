"""Networks in torch, imported only where it is installed."""
