"""Proving once more who one is, in a session that one has: before a step that must not be taken by whoever took it."""
