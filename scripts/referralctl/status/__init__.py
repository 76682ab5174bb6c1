"""What is delivered, due and amiss, of every client: read once, shown as a table, as a page, or as data."""
