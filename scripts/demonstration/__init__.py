"""The demo: the whole path once, on this machine."""
