"""Sound as samples: reading files, changing the rate, cutting into rows."""
