"""One delivery, start to finish, and those that are made again."""
