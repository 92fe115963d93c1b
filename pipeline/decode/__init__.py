"""Decoders: raw records to rows in columns."""
