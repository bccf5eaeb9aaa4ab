"""spark-submit entry point: the step `quality` of one month. Same flags as `living-finance run`."""

from living_finance.cli import main_of

if __name__ == "__main__":
    main_of("run", "--step", "quality")
