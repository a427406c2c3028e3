"""Moving the users: what would happen (preflight), doing it (import), and what is still to do."""
