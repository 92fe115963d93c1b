"""Words: connectionist temporal classification on transcripts, no alignment needed."""
