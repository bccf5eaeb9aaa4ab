"""spark-submit entry point: train the income model on a month. Same flags as `living-finance train`."""

from living_finance.cli import main_of

if __name__ == "__main__":
    main_of("train")
