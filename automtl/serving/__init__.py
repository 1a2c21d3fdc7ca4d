"""A bundle as a small HTTP service: rows in, scores out."""
