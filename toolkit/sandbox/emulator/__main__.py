"""`python -m toolkit.sandbox.emulator`."""

from toolkit.sandbox.emulator.cli import clerk

clerk(prog_name="python -m toolkit.sandbox.emulator")
