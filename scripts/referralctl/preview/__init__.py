"""What a client's next file would look like: whose it is, what it would read, and its first rows."""
