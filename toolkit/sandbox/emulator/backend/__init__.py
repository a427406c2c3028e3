"""The Backend API: what an application's server asks, with the secret key."""
