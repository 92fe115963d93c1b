"""Tests of the speech heads."""
