"""The operator's command line: move users from home-made authentication in Postgres to Clerk."""
