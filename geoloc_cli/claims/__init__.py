"""Checking a claim: evidence for and against a photo having been taken where somebody says."""
