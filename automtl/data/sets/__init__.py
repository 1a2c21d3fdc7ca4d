"""Public data sets: from the files as they are published to Parquet that a spec searches.

`registry.py` says what there is, `prepare.py` does it; a module a set reads that set's files.
"""
