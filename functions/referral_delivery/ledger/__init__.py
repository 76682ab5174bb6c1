"""What each client has received."""
