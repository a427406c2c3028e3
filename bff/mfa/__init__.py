"""Second factors of those who are signed in: what is enrolled, setting up, trying out, taking away."""
