"""A small detector of one kind of thing, learnt from pictures and boxes."""
