"""`make bench`: what is promised about speed and memory, measured on an embedded sandbox of its own.

    make bench                     everything, about half an hour on two cores
    make bench ARGS="--only 300ms" one of: 50ms 300ms 1000ms unlimited memory account emulator bff enumeration

Each figure is a ratio or a size that a noisy machine does not change much: the share of Clerk's documented limit,
requests a user, peak memory. A line ends in FAIL where a promise is not kept, and so does the exit code.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import asyncpg

from toolkit.errors import NEEDS_PERSON

PRODUCTION_RATE = 100
MINUTE_USERS = 6_600
UNLIMITED_USERS = 30_000
MEMORY_USERS = (10_000, 200_000)


@dataclass(frozen=True)
class Imported:
    """What one import did, as Postgres, the emulator and the kernel saw it."""

    users: int
    seconds: float
    sustained: float
    """Users a second over the minute that follows the first link."""
    requests: int
    rate_limited: int
    peak_mib: float


class Sandbox:
    """An embedded sandbox in a folder of its own."""

    def __init__(self, folder: str) -> None:
        self.variables = {**os.environ, "SANDBOX_DIR": folder}
        for name in ("DATABASE_URL", "CLERK_SECRET_KEY"):
            self.variables.pop(name, None)

    def toolkit(self, *arguments: str) -> str:
        """Run a command that must succeed; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "toolkit", *arguments],
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"toolkit {' '.join(arguments)} failed:\n{done.stderr}")
        return done.stdout

    def exported(self, name: str) -> str:
        """A variable that `sandbox env` prints."""
        lines = self.toolkit("sandbox", "env").splitlines()
        (value,) = [line.split("=", 1)[1] for line in lines if line.startswith(f"export {name}=")]
        return value.strip("'\"")

    def control(self, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
        """Call the emulator's control API."""
        request = urllib.request.Request(
            f"{self.exported('CLERK_API_URL')}/_sandbox/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            content: dict[str, object] = json.load(answer)
            return content

    def measure_import(self, users: int, settings: dict[str, object], rate: str) -> Imported:
        """Seed, import everybody, and measure."""
        self.toolkit("sandbox", "reset", "--yes")
        self.control("settings", settings)
        self.toolkit("sandbox", "seed", "--users", str(users), "--seed", "1")
        begun = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "toolkit", "import", "--env", "sandbox", "--yes", "--rate", rate],
            env=self.variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begun
        if os.waitstatus_to_exitcode(status) not in (0, NEEDS_PERSON):
            sys.exit("the import failed")
        linked, in_minute = asyncio.run(linked_users(self.exported("DATABASE_URL")))
        requests, rate_limited = count_requests(self.control("stats"))
        return Imported(
            users=linked,
            seconds=seconds,
            sustained=in_minute / 60,
            requests=requests,
            rate_limited=rate_limited,
            peak_mib=usage.ru_maxrss / 1024,
        )

    def measure(self, *arguments: str) -> tuple[float, float]:
        """Seconds and peak memory (MiB) of a command that is done, whether or not it needs a person."""
        begun = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "toolkit", *arguments, "--env", "sandbox"],
            env=self.variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        if os.waitstatus_to_exitcode(status) not in (0, NEEDS_PERSON):
            sys.exit(f"toolkit {' '.join(arguments)} failed")
        return time.monotonic() - begun, usage.ru_maxrss / 1024


async def break_addresses(url: str) -> str:
    """Leave every user but one without a valid address; that one's address."""
    connection = await asyncpg.connect(url)
    try:
        address: str = await connection.fetchval("SELECT email FROM users ORDER BY id LIMIT 1")
        await connection.execute("UPDATE users SET email = 'broken ' || id WHERE email <> $1", address)
        await connection.execute("ANALYZE users")
    finally:
        await connection.close()
    return address


async def linked_users(url: str) -> tuple[int, int]:
    """Users linked at all, and in the minute after the first link."""
    connection = await asyncpg.connect(url)
    try:
        record = await connection.fetchrow(
            """
            SELECT count(*) AS linked, count(*) FILTER (WHERE updated_at < first + interval '60 s') AS in_minute
            FROM clerk_migration.import_ledger,
                (SELECT min(updated_at) AS first FROM clerk_migration.import_ledger WHERE state = 'linked') AS begun
            WHERE state = 'linked'
            """
        )
    finally:
        await connection.close()
    assert record is not None
    return record["linked"], record["in_minute"]


def count_requests(stats: dict[str, object]) -> tuple[int, int]:
    """Requests that the emulator answered to the Backend API, and those with 429."""
    requests = stats["requests"]
    assert isinstance(requests, dict)
    every = [(status, count) for answers in requests.values() for status, count in answers.items()]
    return sum(count for _, count in every), sum(count for status, count in every if status == "429")


FAILED: list[str] = []


def report(name: str, figure: str, *, kept: bool) -> None:
    """Print a figure, and whether the promise is kept."""
    print(f"{'ok  ' if kept else 'FAIL'} {name:<44} {figure}", flush=True)
    if not kept:
        FAILED.append(name)


def at_the_limit(sandbox: Sandbox, latency_ms: int) -> None:
    """Production's limit at a latency: 99 % of it over a minute, hardly a 429, a request a user."""
    settings = {"rate_limit": "production", "latency_ms": latency_ms}
    done = sandbox.measure_import(MINUTE_USERS, settings, str(PRODUCTION_RATE))
    share = done.sustained / PRODUCTION_RATE
    report(f"{latency_ms} ms: share of the limit over a minute", f"{share:.1%}", kept=share >= 0.99)
    refused = done.rate_limited / done.requests
    report(f"{latency_ms} ms: requests answered 429", f"{refused:.2%}", kept=refused < 0.005)
    each = done.requests / done.users
    report(f"{latency_ms} ms: requests a user", f"{each:.3f}", kept=each < 1.01)


def unlimited(sandbox: Sandbox) -> None:
    """No limit: as fast as two cores go."""
    done = sandbox.measure_import(UNLIMITED_USERS, {"rate_limit": "off", "latency_ms": 0}, "off")
    rate = done.users / done.seconds
    report("no limit: users a second, start-up included", f"{rate:,.0f}", kept=rate >= 1500)


def memory(sandbox: Sandbox) -> None:
    """Peak memory, and that it does not grow with the number of users."""
    peaks = [
        sandbox.measure_import(users, {"rate_limit": "off", "latency_ms": 0}, "off").peak_mib
        for users in MEMORY_USERS
    ]
    for users, peak in zip(MEMORY_USERS, peaks, strict=True):
        report(f"peak memory for {users:,} users", f"{peak:.0f} MiB", kept=peak < 150)
    growth = peaks[1] / peaks[0]
    report(
        f"peak memory, {MEMORY_USERS[1]:,} to {MEMORY_USERS[0]:,} users", f"x {growth:.2f}", kept=growth < 1.1
    )


def account(sandbox: Sandbox) -> None:
    """What says how things stand costs what the selection costs, and memory that does not grow with those who stay."""
    alone: list[float] = []
    peaks: dict[str, list[float]] = {}
    for users in MEMORY_USERS:
        sandbox.toolkit("sandbox", "reset", "--yes")
        sandbox.toolkit("sandbox", "seed", "--users", str(users), "--seed", "1")
        address = asyncio.run(break_addresses(sandbox.exported("DATABASE_URL")))
        alone.append(min(sandbox.measure("preflight", "--only", address)[0] for _ in range(3)))
        for command in (
            ["preflight"],
            ["preflight", "--users"],
            ["import", "--yes"],
            ["status"],
            ["status", "--users"],
        ):
            peaks.setdefault(" ".join(command), []).append(sandbox.measure(*command)[1])
    few, many = MEMORY_USERS
    growth = alone[1] / alone[0]
    report(f"preflight of one address, {many:,} to {few:,} users", f"x {growth:.2f}", kept=growth < 1.5)
    for name, (small, large) in peaks.items():
        growth = large / small
        report(f"{name}: peak memory, {many:,} to {few:,} who stay", f"x {growth:.2f}", kept=growth < 1.1)


def emulator(_: Sandbox) -> None:
    """The emulator's memory; `python -m tests.benchmarks.emulator --users 1000000` fills it up."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.emulator"], capture_output=True, text=True, check=False
    )
    figure = ", ".join(done.stdout.split("\n")).strip(", ") or done.stderr.strip()
    report("emulator", figure, kept=done.returncode == 0)


def bff(_: Sandbox) -> None:
    """Logins and session checks, on a sandbox of their own; it reports for itself."""
    done = subprocess.run([sys.executable, "-m", "tests.benchmarks.bff"], check=False)
    if done.returncode:
        FAILED.append("bff")


def enumeration(_: Sandbox) -> None:
    """Whether answers tell who has an account; it reports for itself."""
    done = subprocess.run([sys.executable, "-m", "tests.benchmarks.legacy.enumeration"], check=False)
    if done.returncode:
        FAILED.append("enumeration")


BENCHMARKS = {
    "50ms": lambda sandbox: at_the_limit(sandbox, 50),
    "300ms": lambda sandbox: at_the_limit(sandbox, 300),
    "1000ms": lambda sandbox: at_the_limit(sandbox, 1000),
    "unlimited": unlimited,
    "memory": memory,
    "account": account,
    "emulator": emulator,
    "bff": bff,
    "enumeration": enumeration,
}


@contextmanager
def embedded_sandbox() -> Iterator[Sandbox]:
    """A sandbox that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        sandbox = Sandbox(folder)
        sandbox.toolkit("sandbox", "start")
        try:
            yield sandbox
        finally:
            sandbox.toolkit("sandbox", "stop")


def main() -> None:
    """Run the benchmarks that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=BENCHMARKS, help="one benchmark")
    only = parser.parse_args().only
    with embedded_sandbox() as sandbox:
        for name in [only] if only else BENCHMARKS:
            BENCHMARKS[name](sandbox)
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
