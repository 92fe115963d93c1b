"""What the pipeline costs on this machine: ``python -m tests.benchmarks``."""
