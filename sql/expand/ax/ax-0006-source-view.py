"""The source view, so that plain `yoyo apply` installs it too.

`python -m toolkit migrate` installs the view that the playbook names each time it runs.
"""

from pathlib import Path

from yoyo import step

__depends__ = {"toolkit-0001-import", "ax-0005-users-lookups"}

VIEW = Path(__file__).resolve().parents[2] / "sources" / "ax.sql"

step("SET LOCAL lock_timeout = '2s'", "DROP VIEW IF EXISTS clerk_migration.source")
step("DROP VIEW IF EXISTS clerk_migration.source", "SET LOCAL lock_timeout = '2s'")
step(VIEW.read_text(encoding="utf-8"), "SET LOCAL lock_timeout = '2s'")
