"""One client file: its text, its findings, and their words."""
