"""What turns a step's numbers into reports: one contract, one file per task."""
