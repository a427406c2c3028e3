"""Whether answers tell who has an account, or on which system: hundreds of each kind, at several latencies of Clerk's.

    python -m tests.benchmarks.legacy.enumeration [--only login|factor|reset|signup] [--times N] [--setting 300ms]

Status, body and headers must be the same, and no test may tell the times apart at p < 0.001. Settings: Clerk answers after
0, 100 or 300 ms, and after 100 ms while logins keep all of Argon2's slots busy.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
from argon2 import PasswordHasher

from tests import enumeration
from tests.emulator import Emulator
from tests.enumeration import Flow, compare, keep_busy, lift_limits, nobody
from tests.integration.bff.conftest import PASSWORD, Bff, World, new_world
from tests.integration.legacy.conftest import LegacyWorld
from tests.postgres import serving
from toolkit.sandbox.state import free_ports

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
LEAST = 0.001
FLOWS: dict[str, tuple[Flow, int]] = {
    "login": (enumeration.wrong_password, 200),
    "factor": (enumeration.wrong_factor, 100),
    "reset": (enumeration.reset, 100),
    "signup": (enumeration.signup, 60),
}
"""Each with how often it is gone through."""
SETTINGS = {"0ms": (0, False), "100ms": (100, False), "300ms": (300, False), "busy": (100, True)}
"""Clerk's latency in milliseconds, and whether Argon2 is busy."""
WARMING = 12
"""Before anything counts: what is slow for the first time."""


@contextlib.asynccontextmanager
async def world(folder: Path) -> AsyncIterator[LegacyWorld]:
    """Users on both systems, whose digests cost what AX's do, and nothing limited."""
    smtp_port = str(next(free_ports()))
    emulator = Emulator(folder / "traffic", "--rate-limit", "off", "--smtp-port", smtp_port)
    try:
        with serving() as server:
            async with new_world(LegacyWorld, server, emulator, folder) as made:
                made.login.clear()
                made.signup.clear()
                lift_limits(made)
                await made.switch("signup", "clerk")
                await made.invite(uses=1_000_000)
                digest = PasswordHasher().hash(PASSWORD)
                for name, totp in (("", False), (".totp", True)):
                    await made.migrated(f"p.clerk{name}@example.com", totp=totp)
                    await made.legacy(f"p.legacy{name}@example.com", totp=totp, hashed_password=digest)
                yield made
    finally:
        emulator.kill()


@contextlib.asynccontextmanager
async def busy(bff: Bff, *, wanted: bool) -> AsyncIterator[None]:
    """Twice as many logins as Argon2 has slots, if wanted."""
    number = 2 * (os.cpu_count() or 1) if wanted else 0
    logins = [asyncio.create_task(keep_busy(bff, "p.legacy@example.com")) for _ in range(number)]
    yield
    for login in logins:
        login.cancel()
    await asyncio.gather(*logins, return_exceptions=True)


async def run(only: str | None, setting: str | None, times: int | None) -> bool:
    kept = True
    with tempfile.TemporaryDirectory() as folder:
        async with world(Path(folder)) as made:
            bff = await World.bff(made)
            for name, (latency_ms, wanted) in SETTINGS.items():
                if setting not in (None, name):
                    continue
                made.emulator.settings(latency_ms=latency_ms)
                async with busy(bff, wanted=wanted):
                    for called, (flow, usual) in FLOWS.items():
                        if only in (None, called):
                            kept &= await measure(bff, flow, times or usual, name)
    return kept


async def measure(bff: Bff, flow: Flow, times: int, setting: str) -> bool:
    name = ".totp" if flow is enumeration.wrong_factor else ""
    kinds = {
        "clerk": lambda: f"p.clerk{name}@example.com",
        "legacy": lambda: f"p.legacy{name}@example.com",
        **({} if name else {"nobody": nobody}),
    }
    await compare(flow, bff, kinds, WARMING)
    kept = True
    for step, found in (await compare(flow, bff, kinds, times)).items():
        held = found.alike and found.p >= LEAST
        words = "alike" if found.alike else f"told apart: {dict(found.words)}"
        medians = ", ".join(
            f"{kind} {sorted(all_)[len(all_) // 2]:.4f} s" for kind, all_ in found.seconds.items()
        )
        print(
            f"{'ok  ' if held else 'FAIL'}  {setting}, {step}: {words}, p = {found.p:.2g} ({medians})",
            flush=True,
        )
        kept &= held
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=FLOWS)
    parser.add_argument("--setting", choices=SETTINGS)
    parser.add_argument("--times", type=int)
    given = parser.parse_args()
    sys.exit(0 if asyncio.run(run(given.only, given.setting, given.times)) else 1)


if __name__ == "__main__":
    main()
