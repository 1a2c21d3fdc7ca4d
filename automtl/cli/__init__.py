"""The command line: `app.py` has the program, a file beside it each command or few of a kind."""
