"""The speech task: from chunks of sound to words or keywords, with one streaming LSTM."""
