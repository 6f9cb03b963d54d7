"""The auth service: knows users, checks their passwords, and issues and explains access tokens."""
