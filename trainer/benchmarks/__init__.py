"""Published anomaly benchmarks, run by their own protocols."""
