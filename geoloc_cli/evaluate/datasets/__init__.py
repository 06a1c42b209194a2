"""The public sets of labelled photographs, read from the layouts in which they are published."""
