"""`make demo`: the main job from start to end, on the embedded sandbox, with each command shown as it is run."""

import asyncio
import json
import random
import subprocess
import sys
from dataclasses import dataclass

import asyncpg
import click
import pyotp
from rich.console import Console

from toolkit.clerk import BackendClient, ClerkConfig
from toolkit.errors import NEEDS_PERSON, ToolkitError
from toolkit.sandbox import state

SAMPLE = 25
"""Users whose password and TOTP secret are tried in Clerk at the end."""
SEED = 1


class DemoFailed(ToolkitError):
    """The demo did not end as it must."""


@dataclass(frozen=True)
class Proof:
    """What was found when the import had ended."""

    linked: int
    explained: int
    """Users that stayed, for a reason that the ledger names."""
    seeded: int
    passwords: int
    passwords_tried: int
    second_factors: int
    second_factors_tried: int


@click.command()
@click.option(
    "--users", type=click.IntRange(min=1), default=1000, show_default=True, help="Accounts to move."
)
def demo(users: int) -> None:
    """Move home-made accounts into an emulated Clerk out of a real Postgres, and prove it.

    Empties the sandbox first. Never asks anything.
    """
    console = Console()
    console.print(
        f"[bold]{users:,} accounts with home-made authentication move into Clerk.[/] The Postgres is real, "
        "Clerk is an emulator; both run here and nothing leaves this machine.\n",
        highlight=False,
    )
    _step(console, "A Postgres and a Clerk of one's own", "sandbox", "start")
    _step(console, "Empty, should a demo have run before", "sandbox", "reset", "--yes")
    _step(
        console,
        "People with Argon2id passwords, some with TOTP, a few rows broken on purpose",
        *("sandbox", "seed", "--users", str(users), "--seed", str(SEED)),
    )
    _step(
        console,
        "What would the import do? (It finds the broken rows, and so exits 3)",
        "preflight",
        "--env",
        "sandbox",
        expected=(0, NEEDS_PERSON),
    )
    _step(console, "The import", "import", "--env", "sandbox", "--yes", expected=(0, NEEDS_PERSON))
    proof = asyncio.run(_prove(_seeded_users()))
    _conclude(console, proof)


def _step(console: Console, what: str, *arguments: str, expected: tuple[int, ...] = (0,)) -> None:
    console.print(
        f"\n[bold cyan]{what}[/]\n[dim]$ python -m toolkit {' '.join(arguments)}[/]", highlight=False
    )
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "toolkit", *arguments], check=False
    )
    if done.returncode not in expected:
        raise DemoFailed(f"`python -m toolkit {' '.join(arguments)}` exited {done.returncode}; see above.")


def _seeded_users() -> list[dict[str, str | None]]:
    lines = state.running().users_file.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


async def _prove(seeded: list[dict[str, str | None]]) -> Proof:
    """Try known passwords and TOTP secrets in Clerk, for users that the import linked."""
    variables = state.variables()
    connection = await asyncpg.connect(variables["DATABASE_URL"])
    try:
        rows = await connection.fetch("SELECT id::text, clerk_id FROM users WHERE clerk_id IS NOT NULL")
        explained = await connection.fetchval(
            "SELECT count(*) FROM clerk_migration.import_ledger WHERE state IN ('refused', 'held', 'conflict')"
        )
    finally:
        await connection.close()
    clerk_ids = {row["id"]: row["clerk_id"] for row in rows}
    linked = [user for user in seeded if user["id"] in clerk_ids]
    sample = random.Random(SEED).sample(linked, min(SAMPLE, len(linked)))  # noqa: S311 - a sample, not a secret
    with_totp = [user for user in linked if user["totp_secret"]][:SAMPLE]
    async with BackendClient(ClerkConfig.from_environment(variables), rate=None) as clerk:
        passwords = [await clerk.verify_password(clerk_ids[u["id"]], str(u["password"])) for u in sample]
        codes = [
            await clerk.verify_totp(clerk_ids[u["id"]], pyotp.TOTP(str(u["totp_secret"])).now())
            for u in with_totp
        ]
    return Proof(len(linked), explained, len(seeded), sum(passwords), len(passwords), sum(codes), len(codes))


def _conclude(console: Console, proof: Proof) -> None:
    console.print(
        f"\n[bold green]{proof.linked:,} people are in Clerk now, with the password they always had.[/] "
        f"Tried in Clerk: {proof.passwords} of {proof.passwords_tried} known passwords work, and "
        f"{proof.second_factors} of {proof.second_factors_tried} authenticator codes. "
        f"{proof.explained} rows are broken and stayed, each with its reason above.",
        highlight=False,
    )
    if proof.linked + proof.explained != proof.seeded:
        raise DemoFailed(
            f"{proof.seeded - proof.linked - proof.explained} users are neither linked nor explained."
        )
    if (proof.passwords, proof.second_factors) != (proof.passwords_tried, proof.second_factors_tried):
        raise DemoFailed("Some known password or authenticator code does not work in Clerk.")
    console.print(
        "\nThe sandbox keeps running. Try next:\n"
        "  .venv/bin/python -m toolkit status --env sandbox          where things stand\n"
        "  .venv/bin/python -m toolkit import --env sandbox          again: nothing is done twice\n"
        "  .venv/bin/python -m toolkit status --env sandbox --users  who needs a person, and why\n"
        '  eval "$(.venv/bin/python -m toolkit sandbox env)"         then psql "$DATABASE_URL"\n'
        "  .venv/bin/python -m toolkit sandbox stop                  when you are done\n"
        "To point it at a database of your own, see README.md.",
        highlight=False,
        soft_wrap=True,
    )
