"""The program as a library: `Locator`, `build_index`, and answers that a notebook draws; `cli` is made of the same."""
