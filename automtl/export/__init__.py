"""A trial of a study as a model to serve: pick it, bundle it, score rows with it."""
