"""What the benchmarks of the search are made of: searches that train, replays, simulations."""
