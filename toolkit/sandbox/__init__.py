"""Everything local and nothing mocked away: a real Postgres, an emulated Clerk, and people to move."""
