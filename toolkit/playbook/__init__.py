"""What a playbook may say, typed: one YAML file an environment, a module here for each of its parts."""

from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError

from toolkit.errors import UsageError
from toolkit.paths import SHIPPED
from toolkit.playbook.bff import BffSettings
from toolkit.playbook.imports import ImportSettings
from toolkit.playbook.settings import Settings
from toolkit.playbook.source import SourceSettings

PLAYBOOKS = Path("playbooks")
"""Where playbooks are unless another folder is named: below the current folder."""
SANDBOX = SHIPPED / "playbooks" / "sandbox.yaml"
"""The sandbox's playbook, which is there wherever one stands."""


class PlaybookInvalid(UsageError):
    """A playbook is missing, does not parse, or has a setting that is wrong."""


class _Loader(yaml.SafeLoader):
    """As safe_load, but a key that is there twice is an error: YAML's own reading takes the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is there twice", key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


class Playbook(Settings):
    """What `playbooks/NAME.yaml` says."""

    description: str = ""
    clerk_instance: Literal["development", "production"]
    """The kind of Clerk instance this environment belongs to; a key of the other kind is refused."""
    embedded_sandbox: bool = False
    """Work on the embedded sandbox and nothing else: its variables are taken, and no exported ones."""
    source: SourceSettings
    import_: ImportSettings = Field(default_factory=ImportSettings, alias="import")
    bff: BffSettings = BffSettings()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and validate a playbook. Raises PlaybookInvalid, naming file, setting and reason."""
        try:
            content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - it is a SafeLoader
        except OSError as error:
            raise PlaybookInvalid(f"Cannot read the playbook {path}: {error.strerror}.") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise PlaybookInvalid(f"The playbook {path} is not valid YAML: {error}") from error
        if not isinstance(content, dict):
            raise PlaybookInvalid(f"The playbook {path} must be a mapping of settings, as {SANDBOX} is.")
        try:
            folder = path.resolve().parent
            return cls.model_validate(content, context={"folders": (folder, folder.parent)})
        except ValidationError as error:
            faults = "\n".join(
                f"  {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
            )
            raise PlaybookInvalid(f"The playbook {path} has settings that do not fit:\n{faults}") from error


def find_playbook(name: str, folder: Path) -> Path:
    """The file of the environment `name`, which may be a path to one. Raises PlaybookInvalid."""
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    known = {"sandbox": SANDBOX, **{path.stem: path for path in sorted(folder.glob("*.yaml"))}}
    if name not in known:
        raise PlaybookInvalid(
            f"There is no environment {name!r}. There are: {', '.join(sorted(known))}. An environment is a file in "
            f"{folder.resolve()}; --playbooks names another folder, and --env takes a path such as staging.yaml, too."
        )
    return known[name]
