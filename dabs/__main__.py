"""`python -m dabs` is `dabs`."""

from dabs.cli import main

main()
