"""Other libraries' models on our rows, each run in an environment of their own."""
