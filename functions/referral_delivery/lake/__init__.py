"""Which objects of the lake hold a window, and the SQL that reads them."""
