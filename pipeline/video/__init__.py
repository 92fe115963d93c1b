"""Cameras: opening them, the newest picture of each, and what becomes of those that fail."""
