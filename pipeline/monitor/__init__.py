"""Health, metrics and the live page, over HTTP."""
