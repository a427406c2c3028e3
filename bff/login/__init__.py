"""Logging in: by Clerk for users who have a `clerk_id`, by AX for those who don't yet."""
