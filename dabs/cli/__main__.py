"""`python -m dabs.cli` runs `dabs`."""

from dabs.cli import main

main()
