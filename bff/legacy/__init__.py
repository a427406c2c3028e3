"""AX's own check of passwords and codes, for users who are not in Clerk yet: all of it is in this folder.

It goes away after the cutover, with `sql/queries/legacy.sql`, `tests/*/legacy/` and the one place in `bff/app.py` that
mounts it.
"""
