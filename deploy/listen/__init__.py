"""What ``streamcell listen`` shows while a pipeline listens."""
