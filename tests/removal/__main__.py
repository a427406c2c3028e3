"""What remains when legacy is deleted: `make removal`.

In a copy of the tree everything legacy is taken away: its folder, its tests, its queries, the two lines of `bff/app.py`
that mount it, and the columns and the table that the contract drops. What is left of the BFF's tests must pass there.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from toolkit.paths import ROOT

HERE = Path(__file__).parent
LEFT_BEHIND = shutil.ignore_patterns(
    ".git", ".venv", ".sandbox", "build", "*.egg-info", ".*_cache", "__pycache__"
)
TESTS = ("tests/unit/bff", "tests/integration/bff", "tests/browser")
LEFT_OUT = "tests/integration/bff/test_enumeration.py"
"""Statistics of answers' times, which take minutes, and which the whole suite makes with legacy in place."""


def main() -> int:
    """The exit code of what remains of the tests."""
    with TemporaryDirectory(prefix="removal-") as folder:
        tree = Path(folder, "tree")
        shutil.copytree(ROOT, tree, ignore=LEFT_BEHIND)
        remove_legacy(tree)
        contract(tree)
        print("Legacy is removed from a copy of the tree. What remains of the BFF's tests:", flush=True)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            os.environ.get("WORKERS", "4"),
            "--dist",
            "worksteal",
            *TESTS,
            f"--ignore={LEFT_OUT}",
            *sys.argv[1:],
        ]
        return subprocess.run(command, cwd=tree, env=dict(os.environ), check=False).returncode


def remove_legacy(tree: Path) -> None:
    """Delete what the last pull request deletes. Raises AssertionError when something of it is not where it is said to be."""
    for place in (tree / "bff" / "legacy", *(tree / "tests").glob("*/legacy")):
        shutil.rmtree(place)
    (tree / "sql" / "queries" / "legacy.sql").unlink()
    app = tree / "bff" / "app.py"
    kept, removed = re.subn(r"^.*\blegacy\b,?\n", "", app.read_text(), flags=re.MULTILINE)
    assert removed == 2, f"bff/app.py mounts legacy in {removed} lines, not in two"
    app.write_text(kept)


def contract(tree: Path) -> None:
    """Drop what the contract will drop, as one more migration, and read the users without it."""
    shutil.copy(HERE / "contract.sql", tree / "sql" / "expand" / "ax" / "ax-9999-contract.sql")
    shutil.copy(HERE / "source.sql", tree / "sql" / "sources" / "ax.sql")


if __name__ == "__main__":
    sys.exit(main())
