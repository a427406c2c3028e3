"""The sandbox's environment works on the sandbox and on nothing else, and no other environment works on the sandbox."""

import os
import subprocess
import sys

import pytest

from bff.database import Database
from tests.integration.sandbox.conftest import query
from toolkit.database import ANYBODYS, Expected, SandboxRefused
from toolkit.paths import ROOT
from toolkit.sandbox.state import Sandbox

ELSEWHERE = {
    "AX_TOTP_KEY": "elsewhere",
    "CLERK_API_URL": "https://elsewhere.example",
    "CLERK_SECRET_KEY": "sk_live_elsewhere",
    "DATABASE_URL": "postgresql://elsewhere@127.0.0.1:1/elsewhere",
    "PGHOSTADDR": "127.0.0.2",
    "PGSSLMODE": "verify-full",
    "SMTP_URL": "smtp://elsewhere.example",
}


def run(sandbox: Sandbox, *command: str, **exported: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `python -m …`."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "SANDBOX_DIR": str(sandbox.folder), **exported},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


def is_migrated(sandbox: Sandbox) -> bool:
    return query(sandbox, "SELECT to_regclass('clerk_migration.runs') IS NOT NULL") == [(True,)]


def test_what_is_exported_is_not_used_in_the_sandbox_and_that_is_said(sandbox: Sandbox) -> None:
    code, _, err = run(sandbox, "toolkit", "migrate", "--env", "sandbox", **ELSEWHERE)
    assert (code, is_migrated(sandbox)) == (0, True)
    assert err == (
        "The sandbox has a database and a Clerk of its own. Exported, and not used: "
        "AX_TOTP_KEY, CLERK_API_URL, CLERK_SECRET_KEY, DATABASE_URL, PGHOSTADDR, PGSSLMODE, SMTP_URL.\n"
    )
    code, out, err = run(sandbox, "toolkit", "status", "--env", "sandbox", "--json", **ELSEWHERE)
    assert (code, '"clerk_users": 0' in out, "elsewhere" in err) == (0, True, False)


def test_nothing_is_said_of_variables_that_are_the_sandbox_s_own(sandbox: Sandbox) -> None:
    code, _, err = run(sandbox, "toolkit", "migrate", "--env", "sandbox", **sandbox.variables)
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    "command",
    [
        "toolkit migrate",
        "toolkit migrate --status",
        "toolkit migrate --rollback --yes",
        "toolkit preflight",
        "toolkit import --yes",
        "toolkit import --dry-run",
        "toolkit status",
        "toolkit status --users",
        "toolkit switch",
        "toolkit switch signup clerk --yes",
        "toolkit sweep",
        "bff --port 0",
    ],
)
def test_another_environment_refuses_the_sandbox_s_database(sandbox: Sandbox, command: str) -> None:
    exported = {**sandbox.variables, "CLERK_SECRET_KEY": "sk_test_anotherinstance"}
    code, out, err = run(sandbox, *command.split(), "--env", "demo", **exported)
    assert (code, out.count("\n") <= 1) == (2, True)
    assert (
        "is the embedded sandbox's, and only an environment whose playbook says embedded_sandbox uses it"
        in err
    )
    assert sandbox.postgres.password not in err
    assert not is_migrated(sandbox)


async def test_a_bff_refuses_a_connection_that_leads_to_the_sandbox_later(sandbox: Sandbox) -> None:
    async with Database(sandbox.postgres.url, 1, ANYBODYS) as database:
        with pytest.raises(SandboxRefused):
            async with database.connection():
                pass
    async with (
        Database(sandbox.postgres.url, 1, Expected(sandbox=True)) as database,
        database.connection() as connection,
    ):
        assert await connection.fetchval("SELECT 1") == 1
