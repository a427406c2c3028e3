"""`python -m toolkit`."""

import os
import sys

try:
    from toolkit.cli.main import main
except KeyboardInterrupt:  # while the modules are loaded, which takes a moment
    print("Interrupted. Nothing was begun.", file=sys.stderr)  # noqa: T201 - nothing better is there yet
    sys.stderr.flush()
    os._exit(130)

main()
