"""`python -m gait` and `torchrun -m gait`: the same command line as `gait`."""

from gait.cli import main

main()
