"""``streamcell demo``: train, export, stream and count, on a sample that comes with the package."""
