"""From rows to the bytes of a client's file, and its upload."""
