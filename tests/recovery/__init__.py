"""What is left after the process was killed."""
