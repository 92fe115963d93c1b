"""``streamcell demo speech``: strings of digits, heard by many microphones in real time."""
