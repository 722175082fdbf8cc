"""`python -m ctcdyn`: the command of an environment whose scripts are not on the path, as in batch jobs."""

from ctcdyn.cli import main

main()
