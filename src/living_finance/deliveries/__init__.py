"""Receive and verify what suppliers send: manifests, row checks, direct identifiers. No file access."""
