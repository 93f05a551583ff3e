"""Run the command line: `python -m dabs` is the same as `dabs`."""

from dabs.cli import main

main()
