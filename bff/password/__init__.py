"""Passwords: their rules, changing one's own, and setting a new one after a reset."""
