"""Proving who somebody is, on either system, apart from what it is for."""
