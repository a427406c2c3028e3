"""`python -m MODULE` as a process of its own, for tests: forked from a server that has the modules loaded already.

Starting Python and loading the modules takes a processor longer than most tests do. What the process does, how it is
ended and what is left of it are the same: it has its own id, memory, variables, signal handlers and files.
"""

import io
import multiprocessing
import os
import resource
import runpy
import signal
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from multiprocessing import context, resource_tracker
from pathlib import Path
from tempfile import TemporaryDirectory

from toolkit.paths import ROOT

# Who kills a BFF leaves the semaphores of its pool to this process, which would tell us so at the end.
sys.warnoptions.append(_UNTOLD := "ignore::UserWarning:multiprocessing.resource_tracker")
resource_tracker.ensure_running()
sys.warnoptions.remove(_UNTOLD)

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.preloaded"])

END_SECONDS = 60
"""How long a process may take to end, on a machine that is busy with others."""


class Running:
    """A process, started with these variables, or with our own. What it writes goes to `log`, or to `out` and `err`.

    `constants` of its modules, by their full names, are others in it: seconds that a test need not sit through.
    It may have `files` open at most, once it raises its limit from half of them.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        variables: Mapping[str, str] | None = None,
        log: Path | None = None,
        constants: Mapping[str, object] | None = None,
        files: int | None = None,
    ) -> None:
        self._folder = TemporaryDirectory(prefix="process-")
        self._out = log or Path(self._folder.name, "out")
        self._err = log or Path(self._folder.name, "err")
        given = dict(os.environ if variables is None else variables)
        self._process = CONTEXT.Process(
            target=_run,
            args=(module, arguments, given, dict(constants or {}), files, str(self._out), str(self._err)),
        )
        self._process.start()

    @property
    def pid(self) -> int:
        pid = self._process.pid
        assert pid is not None
        return pid

    @property
    def returncode(self) -> int | None:
        """How it ended, as `subprocess` tells it; None while it runs."""
        return self._process.exitcode

    def out(self) -> str:
        """What it has written to standard output."""
        return self._out.read_text() if self._out.exists() else ""

    def err(self) -> str:
        """What it has written to standard error."""
        return self._err.read_text() if self._err.exists() else ""

    def first_lines(self, count: int) -> list[str]:
        """The first lines of its standard output, once there are so many. Fails when it ends before."""
        while self.out().count("\n") < count:
            assert self.returncode is None, self.out() + self.err()
            time.sleep(0.005)
        return self.out().splitlines()[:count]

    def wait(self, seconds: float = END_SECONDS) -> int:
        """How it ended. Fails when it doesn't."""
        self._process.join(seconds)
        code = self.returncode
        assert code is not None, f"It still runs after {seconds} s. It wrote:\n{self.out()}{self.err()}"
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def stop(self) -> int:
        """End it as an operator would; how it ended."""
        self.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it without a chance to write anything."""
        self.send_signal(signal.SIGKILL)
        self.wait()


def run(module: str, *arguments: str, variables: Mapping[str, str]) -> tuple[int, str, str]:
    """Run a module to its end: its exit code, standard output and standard error, where no traceback may be."""
    process = Running(module, *arguments, variables=variables)
    code, out, err = process.wait(), process.out(), process.err()
    assert "Traceback" not in out + err, out + err
    return code, out, err


def fork_what_is_spawned() -> None:
    """In a process of the tests: let those that it starts (for Argon2) be forked, too, which saves each a Python."""
    vars(context)["_concrete_contexts"]["spawn"] = multiprocessing.get_context("fork")


def _run(
    module: str,
    arguments: tuple[str, ...],
    variables: dict[str, str],
    constants: dict[str, object],
    files: int | None,
    out: str,
    err: str,
) -> None:
    """In the new process: become `python -m module`."""
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(ROOT)
    if files is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files // 2, files))
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False))
    sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", closefd=False), line_buffering=True)
    for name, value in constants.items():
        place, _, constant = name.rpartition(".")
        assert hasattr(import_module(place), constant), f"There is no {name}."
        setattr(import_module(place), constant, value)
    fork_what_is_spawned()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
