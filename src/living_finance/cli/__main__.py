"""`python -m living_finance.cli`."""

from living_finance.cli import main

main()
