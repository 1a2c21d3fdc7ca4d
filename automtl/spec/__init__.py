"""The spec: what a user writes, checked as a whole, with every problem at its place."""
