"""What ``streamcell track`` makes of a video: one with boxes, and a file of tracks."""
