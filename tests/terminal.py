"""A command at a terminal, with somebody who answers its questions."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping

SECONDS = 60


def answer(reply: str, *arguments: str, variables: Mapping[str, str]) -> tuple[int, str]:
    """Run `python -m toolkit …` at a terminal, type a reply to its question; the exit code, and what it showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "toolkit", *arguments],
        env={"PATH": os.environ["PATH"], "TERM": "dumb", "COLUMNS": "400", **variables},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown, deadline, typed = b"", time.monotonic() + SECONDS, False
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                more = os.read(ours, 4096)
            except OSError:  # it has ended
                break
            if not more:
                break
            shown += more
        if not typed and b"[y/N]" in shown:
            os.write(ours, f"{reply}\n".encode())
            typed = True
    os.close(ours)
    return process.wait(SECONDS), shown.decode()
