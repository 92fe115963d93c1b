"""The process that runs pipelines day and night."""
