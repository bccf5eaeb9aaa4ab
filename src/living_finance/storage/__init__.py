"""The only code that reads or writes Delta tables and files."""
