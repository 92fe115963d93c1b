"""Encoders: outputs in columns to payloads."""
