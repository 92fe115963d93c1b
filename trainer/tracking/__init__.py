"""How boxes move: models that say where each track's box will be, and how surely."""
