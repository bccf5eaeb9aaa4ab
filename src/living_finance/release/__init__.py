"""External releases: protection, an independent check of it, open-data packages. Not for use inside."""
