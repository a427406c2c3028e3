"""What the server that `tests.processes` forks from has loaded: whatever the processes of the tests load."""
# ruff: noqa: F401 - imported to be loaded

import gc

import bff.cli
import tests.integration.bff.killed
import toolkit.cli.main
import toolkit.sandbox.cli
import toolkit.sandbox.emulator.cli

gc.collect()
gc.freeze()  # or each process would go through all of it, and so get a copy of its own
