"""Signing up: with Clerk, where it ends complete or leaves nothing (invariant 5), or as AX does."""
