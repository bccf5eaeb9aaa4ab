"""spark-submit entry point. Same flags as `living-finance synthesize`."""

from living_finance.cli import main_of

if __name__ == "__main__":
    main_of("synthesize")
