"""`python -m automtl`: the program where its script is not on the path."""

from automtl.cli.app import main

main()
