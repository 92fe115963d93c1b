"""The small detector of pictures."""
