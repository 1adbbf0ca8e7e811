"""`python -m qinlp.cli`."""

from qinlp.cli import main

main()
