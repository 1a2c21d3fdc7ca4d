"""What Python programs and notebooks call; `automtl/__init__.py` hands it out by name."""
