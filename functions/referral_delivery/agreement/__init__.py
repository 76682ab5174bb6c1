"""What was agreed with a client: its file, contract, attributes, times, keys and file names."""
