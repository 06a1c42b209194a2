"""The only code that prints, reads flags or exits: one file per command."""
