"""Auth: accounts, passwords and session tokens."""
