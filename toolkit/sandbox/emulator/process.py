"""The Clerk emulator of a sandbox, as a process in the background."""

import base64
import http.client
import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from toolkit.errors import ToolkitError
from toolkit.paths import ROOT
from toolkit.sandbox.processes import check_port_is_free, wait_until

MODULE = "toolkit.sandbox.emulator"

START_SECONDS = 30
STOP_SECONDS = 10


class EmulatorFailed(ToolkitError):
    """The Clerk emulator does not start, stop or answer."""


@dataclass(frozen=True)
class Emulator:
    """An emulator with its state in `folder`. It may run or not, and outlives this process."""

    folder: Path
    port: int
    secret_key: str = field(repr=False)
    smtp_port: int | None = None
    """Where it takes mail for its outbox."""

    @property
    def url(self) -> str:
        """Address of both APIs."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def publishable_key(self) -> str:
        """The key that names the Frontend API's host, as Clerk forms it."""
        return "pk_test_" + base64.b64encode(f"127.0.0.1:{self.port}$".encode()).decode()

    @property
    def is_running(self) -> bool:
        """Whether this emulator, and no other program that got its process id, is alive."""
        return self._process() is not None

    def start(self) -> None:
        """Start the emulator and wait until it answers; nothing when it runs already.

        Raises PortInUse or EmulatorFailed.
        """
        if self.is_running:
            return
        check_port_is_free(self.port, "--clerk-port")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._log.open("w") as log:
            process = subprocess.Popen(  # noqa: S603 - our own module
                [
                    *(sys.executable, "-m", MODULE, "--host", "127.0.0.1", "--port", str(self.port)),
                    *("--state", str(self._state), "--secret-key", self.secret_key),
                    *("--publishable-key", self.publishable_key),
                    *(("--smtp-port", str(self.smtp_port)) if self.smtp_port else ()),
                ],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is not meant for it
            )
        self._pid_file.write_text(str(process.pid))
        self._await_answer(process)

    def stop(self) -> None:
        """Stop the emulator; nothing when it does not run. Raises EmulatorFailed."""
        for end in (psutil.Process.terminate, psutil.Process.kill):
            if process := self._process():
                with suppress(psutil.NoSuchProcess):
                    end(process)
                wait_until(lambda: not self.is_running, STOP_SECONDS)
        if process := self._process():
            raise EmulatorFailed(f"The Clerk emulator, process {process.pid}, does not end.")

    def remove(self) -> None:
        """Delete the state of an emulator that is stopped."""
        for path in self.folder.glob("*"):
            path.unlink()

    def count_users(self) -> int:
        """Users in the emulated Clerk. Raises EmulatorFailed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/_sandbox/stats")
            answer = connection.getresponse()
            return int(json.loads(answer.read())["users"])
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            raise EmulatorFailed(f"The Clerk emulator at {self.url} does not answer: {error!r}.") from error
        finally:
            connection.close()

    @property
    def _state(self) -> Path:
        return self.folder / "state.sqlite"

    @property
    def _log(self) -> Path:
        return self.folder / "emulator.log"

    @property
    def _pid_file(self) -> Path:
        return self.folder / "emulator.pid"

    def _process(self) -> psutil.Process | None:
        try:
            process = psutil.Process(int(self._pid_file.read_text()))
            command = process.cmdline()
        except (FileNotFoundError, ValueError, psutil.Error):
            return None
        return process if MODULE in command and str(self._state) in command else None

    def _await_answer(self, process: "subprocess.Popen[bytes]") -> None:
        ended_or_answers = wait_until(lambda: process.poll() is not None or self._answers(), START_SECONDS)
        if process.poll() is not None:
            raise EmulatorFailed(f"The Clerk emulator ended at once:\n{self._last_words()}")
        if not ended_or_answers:
            process.kill()
            raise EmulatorFailed(
                f"The Clerk emulator does not answer after {START_SECONDS} s:\n{self._last_words()}"
            )

    def _answers(self) -> bool:
        try:
            self.count_users()
        except EmulatorFailed:
            return False
        return True

    def _last_words(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
