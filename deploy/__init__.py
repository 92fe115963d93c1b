"""Command line, demo, and what runs streamcell on a device or a cluster."""
