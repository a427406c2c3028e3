"""What documents and code say of each other holds: cited files, invariants, tests and codes exist."""

import ast
import re
from pathlib import Path
from typing import get_args

import click
import pytest

from bff.http.problems import STATUSES
from toolkit.cli.main import cli
from toolkit.paths import ROOT
from toolkit.playbook.limits import LIMITS, LimitName

ARCHITECTURE = ROOT / "docs" / "architecture.md"
FOLDERS = ("bff", "docs", "playbooks", "sql", "tests", "toolkit")
SUFFIXES = {".css", ".html", ".js", ".md", ".py", ".sql", ".toml", ".yaml"}
_DOCUMENT = re.compile(r"(?<![\w./-])((?:[\w.-]+/)*[\w-]+\.md)(?![\w-])")
_INVARIANT = re.compile(r"\binvariants?\s+(\d+(?:(?:,\s*|\s+and\s+|,\s+and\s+)\d+)*)", re.IGNORECASE)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Everything that is written here, by its path."""
    inside = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES)
    at_top = (path for path in ROOT.iterdir() if path.is_file() and path.suffix in {*SUFFIXES, ""})
    return {
        str(path.relative_to(ROOT)): read(path) for path in (*inside, *at_top) if "vendor" not in path.parts
    }


def exists(cited: str, by: str) -> bool:
    """Whether a document exists where it is said to be: from the top, beside the one that cites it, or in docs/."""
    return any((folder / cited).is_file() for folder in (ROOT, (ROOT / by).parent, ROOT / "docs"))


def test_every_document_that_is_cited_exists(texts: dict[str, str]) -> None:
    missing = {
        (name, cited)
        for name, text in texts.items()
        for cited in _DOCUMENT.findall(text)
        if not exists(cited, by=name)
    }
    assert missing == set()
    assert any("docs/architecture.md" in text for text in texts.values())


def test_every_invariant_that_is_cited_exists(texts: dict[str, str]) -> None:
    section = read(ARCHITECTURE).partition("## Invariants")[2].partition("\n## ")[0]
    stated = [int(number) for number in re.findall(r"^(\d+)\. \*\*", section, re.MULTILINE)]
    cited = {
        int(number)
        for text in texts.values()
        for numbers in _INVARIANT.findall(text)
        for number in re.findall(r"\d+", numbers)
    }
    assert stated == list(range(1, len(stated) + 1))
    assert len(cited) > 1
    assert cited <= set(stated)


def test_every_path_that_is_named_exists(texts: dict[str, str]) -> None:
    folders = "|".join(FOLDERS)
    named = {
        (name, path)
        for name, text in texts.items()
        for path in re.findall(rf"(?<![\w./-])((?:{folders})/[\w/.-]*\w)", text)
        if not re.search(r"NAME|ours|^toolkit/shipped", path)  # made up, or made by the build
    }
    assert len(named) > 100
    assert {(name, path) for name, path in named if not (ROOT / path).exists()} == set()


def test_the_map_shows_what_is_there() -> None:
    drawing = read(ARCHITECTURE).partition("## The map")[2].partition("```text\n")[2].partition("```")[0]
    above: list[tuple[int, Path]] = [(-1, ROOT)]
    for line in drawing.splitlines():
        depth = len(line) - len(line.lstrip())
        while above[-1][0] >= depth:
            above.pop()
        path = above[-1][1] / line.split()[0]
        assert path.is_dir() if line.split()[0].endswith("/") else path.is_file(), path
        above.append((depth, path))
    assert len(drawing.splitlines()) > 10


def test_the_lifecycle_table_names_tests_that_exist() -> None:
    page = read(ROOT / "docs" / "login.md")
    folders = (ROOT / "tests" / "integration" / "bff", ROOT / "tests" / "integration" / "legacy")
    written = "".join(read(path) for folder in folders for path in folder.glob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert named
    assert [name for name in named if f"def {name}(" not in written] == []


def test_the_standards_table_names_tests_that_exist() -> None:
    page = read(ROOT / "docs" / "asvs.md")
    rows = [line.split(" | ") for line in page.splitlines() if re.match(r"\| \d", line)]
    numbers = [tuple(map(int, row[0].strip("| ").split("."))) for row in rows]
    assert len(rows) > 50
    assert len(set(numbers)) == len(numbers)
    assert {row[2] for row in rows} == {"yes", "partly", "not yet", "no", "does not apply"}
    assert all(len(row) == 4 and row[3].strip("| ") for row in rows), "each has a test or a reason"
    for path, test in re.findall(r"`([\w/]+\.py)::(test_\w+)`", page):
        folder = ROOT / "tests" if "/" in path else ROOT / "tests" / "integration" / "bff"
        assert f"def {test}(" in read(folder / path), f"{path}::{test}"


def test_the_handbook_has_the_limits_as_they_are() -> None:
    rows = {
        f"| `{name}` | {rule.key} | {rule.limit.attempts} in {rule.limit.seconds:g} s | {rule.purpose} |"
        for name, rule in LIMITS.items()
    }
    assert {
        line for line in read(ROOT / "docs" / "login.md").splitlines() if "_by_" in line and line[0] == "|"
    } == rows
    assert set(get_args(LimitName)) == set(LIMITS)


def test_the_codes_of_the_handbook_exist() -> None:
    page = read(ROOT / "docs" / "login.md")
    section = page.partition("## What it answers")[2].partition("## What may happen")[0]
    codes = set(re.findall(r"`([a-z]+_[a-z_]+)`", section)) - {"login_counts"}
    assert codes <= {refusal.code for refusal in STATUSES}


def events_of(path: Path) -> set[str]:
    """What a module logs as a warning or an error."""
    return {
        str(call.args[0].value)
        for call in ast.walk(ast.parse(read(path)))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and ast.unparse(call.func) in ("_log.warning", "_log.error", "_log.exception")
        and isinstance(call.args[0], ast.Constant)
    }


def test_the_handbook_says_what_to_do_about_each_warning_of_the_runtime() -> None:
    section = (
        read(ROOT / "docs" / "operating.md").partition("## What the runtime logs")[2].partition("\n## ")[0]
    )
    told = {
        event
        for line in section.splitlines()
        if line.startswith("| `")
        for event in re.findall("`([^`]+)`", line.split(" | ")[0])
    }
    modules = [*(ROOT / "bff").rglob("*.py"), *(ROOT / "toolkit" / "sweep").rglob("*.py")]
    logged = {event for path in modules for event in events_of(path)}
    assert len(logged) > 20
    assert logged - told == set()


def commands_in(text: str) -> list[list[str]]:
    """The words of each command of the toolkit that a document shows, without the toolkit itself."""
    found = re.findall(
        r"(?:python -m toolkit|^toolkit|postgres-to-clerk) ([a-z][^`|#;()\n\"]*)", text, re.MULTILINE
    )
    return [words.split() for words in found]


@pytest.mark.parametrize(
    "name", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
)
def test_the_commands_of_a_document_exist(name: str) -> None:
    for words in commands_in(read(ROOT / name)):
        command: click.Command = cli
        options = {"--help"}
        for word in words:
            if word.startswith("--"):
                assert word in options, f"{' '.join(words)}: {command.name} has no option {word}"
            elif isinstance(command, click.Group):
                subcommand = command.get_command(click.Context(command), word)
                assert subcommand is not None, f"{' '.join(words)}: {command.name} has no command {word}"
                command = subcommand
                options |= {option for parameter in command.params for option in parameter.opts}


def test_the_make_targets_of_the_documents_exist(texts: dict[str, str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", texts["Makefile"], re.MULTILINE))
    named = {
        target
        for name, text in texts.items()
        if name.endswith(".md")
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)
    }
    assert {"demo", "test", "check"} <= named <= targets
