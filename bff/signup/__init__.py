"""Signing up: with Clerk as a saga that ends complete or leaves nothing (invariant 5), or as AX does."""
