"""How good answers are: predictions and truth read, matched, doubted and scored."""
