"""A configuration as a service of systemd: installed, taken away, asked how it does."""
