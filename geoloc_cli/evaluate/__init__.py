"""How good answers are, by the measures of the field."""
