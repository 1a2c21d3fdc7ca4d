"""Training the best again with fresh seeds: which differences are real."""
