"""What a column may be as a feature, a file each.

Each has what is gathered of the train rows of a batch (`add`), which merges with what was gathered
of other rows, and what a fitted feature makes of any batch.
"""
