"""`python -m dabs.cli` is `dabs`."""

from dabs.cli import main

main()
