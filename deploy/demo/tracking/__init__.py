"""``streamcell demo tracking``: people made by us, before four cameras, counted as they pass."""
