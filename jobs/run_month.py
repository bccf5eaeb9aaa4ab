"""spark-submit entry point: months from landing to gold. Same flags as `living-finance run`."""

from living_finance.cli import main_of

if __name__ == "__main__":
    main_of("run")
