"""What notification stands on outside of its database: the users' addresses, and the mail server."""
