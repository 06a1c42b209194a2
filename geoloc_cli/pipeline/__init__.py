"""The table of contents: which stage follows which."""
