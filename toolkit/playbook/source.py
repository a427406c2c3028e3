"""`source:` — which users table is imported."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationInfo, field_validator

from toolkit.paths import SHIPPED
from toolkit.playbook.settings import Settings


class SourceSettings(Settings):
    """Which users table is imported, and what it needs of its own in the schema; all three go together.

    A path is looked up in the playbook's folder, then in the one above it, then in what the package ships.
    """

    view: Path
    link: Path
    migrations: tuple[Path, ...]

    @field_validator("view", "link")
    @classmethod
    def _are_files(cls, path: Path, info: ValidationInfo) -> Path:
        return _find("file", path, _folders(info), Path.is_file)

    @field_validator("migrations")
    @classmethod
    def _are_folders(cls, paths: tuple[Path, ...], info: ValidationInfo) -> tuple[Path, ...]:
        return tuple(_find("folder", path, _folders(info), Path.is_dir) for path in paths)


def _folders(info: ValidationInfo) -> Sequence[Path]:
    return (*(info.context or {}).get("folders", ()), SHIPPED)


def _find(what: str, path: Path, folders: Sequence[Path], is_there: Callable[[Path], bool]) -> Path:
    candidates = dict.fromkeys(folder / path for folder in folders)  # the same one once
    for candidate in candidates:
        if is_there(candidate):
            return candidate
    raise ValueError(f"there is no such {what}. Looked for: {', '.join(map(str, candidates))}")
