"""`python -m tests.benchmarks.emulator [--users N]`: how fast the Clerk emulator takes users, in how much memory.

Fills an emulator over HTTP, the rate limit off, and prints creates a second, its processor time for each, and its peak
memory. The emulator must hold a million users in 1.5 GiB: `--users 1000000` takes about ten minutes on two cores.
Exits 1 when the memory is exceeded or a user is missing.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import orjson
import psutil
from argon2 import PasswordHasher

from tests.emulator import Emulator

MOST_MIB = 1536
AT_ONCE = 64


def bodies(users: int) -> Iterator[bytes]:
    """Requests as the import sends them; one user in seven has a second factor."""
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")
    for number in range(users):
        body: dict[str, object] = {
            "external_id": f"00000000-0000-4000-8000-{number:012x}",
            "email_address": [f"person.number.{number}@example.com"],
            "email_address_identification_status": ["verified"],
            "password_digest": digest,
            "password_hasher": "argon2id",
            "first_name": "Ada",
            "last_name": "Lovelace",
            "created_at": "2020-02-03T04:05:06.000Z",
            "private_metadata": {"migration": {"run": "0192b7c4-5f8e-7c44-9d0e-4f7f3d8f2a10"}},
        }
        if number % 7 == 0:
            body["totp_secret"] = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
        yield orjson.dumps(body)


async def fill(emulator: Emulator, users: int) -> None:
    """Create users, AT_ONCE at a time."""
    waiting = bodies(users)

    async def create(session: aiohttp.ClientSession) -> None:
        for body in waiting:
            async with session.post(f"{emulator.url}/v1/users", data=body) as answer:
                if answer.status != 200:
                    sys.exit(f"A create was answered {answer.status}: {await answer.text()}")

    headers = {"Authorization": f"Bearer {emulator.secret_key}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:
        await asyncio.gather(*(create(session) for _ in range(AT_ONCE)))


def main() -> None:
    """Fill an emulator, and print what it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=50_000, help="default: %(default)s")
    users = parser.parse_args().users
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        state = Path(folder, "state.sqlite")
        emulator = Emulator(Path(folder, "traffic"), "--rate-limit", "off", "--state", str(state))
        process = psutil.Process(emulator.pid)
        begun, worked = time.monotonic(), sum(process.cpu_times()[:2])
        try:
            asyncio.run(fill(emulator, users))
            seconds = time.monotonic() - begun
            worked = sum(process.cpu_times()[:2]) - worked
            stats = emulator.stats()
            size = state.stat().st_size
        finally:
            emulator.stop()
    print(f"users               {stats['users']:,}")
    print(f"creates a second    {users / seconds:,.0f}")
    print(f"processor time each {1000 * worked / users:.3f} ms")
    print(f"peak memory         {stats['peak_memory_mib']:,.0f} MiB (at most {MOST_MIB:,} for a million)")
    print(f"state on disk       {size / 2**20:,.0f} MiB")
    sys.exit(0 if stats["users"] == users and stats["peak_memory_mib"] < MOST_MIB else 1)


if __name__ == "__main__":
    main()
