"""What a playbook may say, typed: one YAML file an environment, a module here for each of its parts."""

from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, ValidationError

from toolkit.errors import UsageError
from toolkit.playbook.bff import BffSettings
from toolkit.playbook.imports import ImportSettings
from toolkit.playbook.settings import Settings
from toolkit.playbook.source import SourceSettings


class PlaybookInvalid(UsageError):
    """A playbook is missing, does not parse, or has a setting that is wrong."""


class Playbook(Settings):
    """What `playbooks/NAME.yaml` says."""

    description: str = ""
    clerk_instance: Literal["development", "production"]
    """The kind of Clerk instance this environment belongs to; a key of the other kind is refused."""
    embedded_sandbox: bool = False
    """Take the variables from the running embedded sandbox when none are exported."""
    confirm: bool = True
    """Ask before an import, unless --yes is given."""
    source: SourceSettings
    import_: ImportSettings = Field(default_factory=ImportSettings, alias="import")
    bff: BffSettings = BffSettings()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and validate a playbook. Raises PlaybookInvalid, naming file, setting and reason."""
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise PlaybookInvalid(f"Cannot read the playbook {path}: {error.strerror}.") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise PlaybookInvalid(f"The playbook {path} is not valid YAML: {error}") from error
        if not isinstance(content, dict):
            raise PlaybookInvalid(
                f"The playbook {path} must be a mapping of settings, see playbooks/prod.yaml."
            )
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            faults = "\n".join(
                f"  {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
            )
            raise PlaybookInvalid(f"The playbook {path} has settings that do not fit:\n{faults}") from error
