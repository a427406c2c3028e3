"""`python -m toolkit.sandbox.clerk`."""

from toolkit.sandbox.clerk.cli import clerk

clerk(prog_name="python -m toolkit.sandbox.clerk")
