"""The documentation, run: its commands, its code, its links."""
