"""`source:` — which users table is imported."""

from pathlib import Path

from pydantic import field_validator

from toolkit.paths import ROOT
from toolkit.playbook.settings import Settings


class SourceSettings(Settings):
    """Which users table is imported, and what it needs of its own in the schema.

    All three go together; paths are relative to the folder of the checkout.
    """

    view: Path
    link: Path
    migrations: tuple[Path, ...]

    @field_validator("view", "link")
    @classmethod
    def _is_file(cls, path: Path) -> Path:
        found = ROOT / path
        if not found.is_file():
            raise ValueError(f"there is no file {found}")
        return found

    @field_validator("migrations")
    @classmethod
    def _are_folders(cls, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        found = tuple(ROOT / path for path in paths)
        for folder in found:
            if not folder.is_dir():
                raise ValueError(f"there is no folder {folder}")
        return found
