"""``streamcell demo anomaly``: one machine's temperatures, and what is wrong with its copies."""
