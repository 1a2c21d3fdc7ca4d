"""Models: one trunk for the whole ladder of sharing, and what a model costs before it is built."""
