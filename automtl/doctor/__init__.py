"""What is wrong with the rows of a spec, before an hour is spent on them."""
