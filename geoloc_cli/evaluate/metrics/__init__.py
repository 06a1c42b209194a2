"""The field's measures as pure functions of arrays: each by its published definition, without I/O."""
