"""What steps a batch: one contract, one file per library."""
