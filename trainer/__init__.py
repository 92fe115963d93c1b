"""Offline training and evaluation: plain files in, a bundle and a report out."""
