"""`python -m toolkit.sandbox.emulator`."""

from toolkit.sandbox.emulator.cli import emulator

emulator(prog_name="python -m toolkit.sandbox.emulator")
