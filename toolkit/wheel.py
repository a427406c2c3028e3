"""How a wheel is made: what is not Python goes into it, so that it needs no checkout. pyproject.toml names this."""

import shutil
from pathlib import Path

from setuptools.command.build_py import build_py

PATTERNS = ("sql/**/*.sql", "sql/**/*.py", "yoyo.ini", "playbooks/sandbox.yaml")
"""What is shipped, as it lies in the checkout."""


class BuildPy(build_py):
    """Copies what is shipped to where toolkit/paths.py looks for it."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return  # the checkout has it
        target = Path(self.build_lib, "toolkit", "shipped")
        shutil.rmtree(target, ignore_errors=True)  # an earlier build's may hold a file that is gone
        for path in _shipped():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / path)

    def get_source_files(self) -> list[str]:
        """The source distribution needs it, too."""
        python: list[str] = super().get_source_files()  # type: ignore[no-untyped-call]
        return [*python, *map(str, _shipped())]


def _shipped() -> list[Path]:
    return sorted(path for pattern in PATTERNS for path in Path().glob(pattern))
