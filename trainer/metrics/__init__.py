"""Scores of detectors and forecasters, numpy only."""
