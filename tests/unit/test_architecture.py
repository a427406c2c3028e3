"""The imports of both packages, drawn from their source and held against docs/architecture.md."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from toolkit.paths import ROOT

PACKAGES = ("toolkit", "bff")
SANDBOX_USERS = {"toolkit.cli.sandbox", "toolkit.environment"}
"""Who may import the sandbox, each in the function that needs it."""
BFF_USES = {
    *("toolkit.clerk", "toolkit.database", "toolkit.environment", "toolkit.errors"),
    *("toolkit.playbook", "toolkit.sweep", "toolkit.totp"),
}


@dataclass(frozen=True)
class Import:
    """One name that a module takes from another."""

    importer: str
    module: str
    name: str | None
    """None when the module itself is imported."""
    inside_function: bool


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in MODULES.items()}


def room(module: str) -> str:
    """The part of a package that a module is in: `toolkit.clerk` of `toolkit.clerk.frontend.client`."""
    return ".".join(module.split(".")[:2])


def imports_of(module: str) -> Iterator[Import]:
    tree = TREES[module]
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found: list[tuple[str, str | None]] = [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{module} imports by a relative name"
            assert node.level == 0, f"{module} imports by a relative name"
            found = [
                (f"{node.module}.{alias.name}", None)
                if f"{node.module}.{alias.name}" in MODULES
                else (node.module, alias.name)
                for alias in node.names
            ]
        else:
            continue
        for target, name in found:
            if target in MODULES and target != module:
                yield Import(module, target, name, id(node) in inside)


IMPORTS = [found for module in MODULES for found in imports_of(module)]


@pytest.fixture(scope="module")
def layers() -> dict[str, int]:
    """The place of each room in the order that docs/architecture.md draws, counted from the top."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.partition("## Which way imports go")[2].partition("\n## ")[0]
    (drawing,) = re.findall(r"```text\n(.*?)```", section, re.DOTALL)
    return {name: number for number, line in enumerate(drawing.splitlines()) for name in line.split()}


def test_no_import_goes_round_in_a_circle() -> None:
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for found in IMPORTS:
        graph[found.importer].add(found.module)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' <- '.join(error.args[1])}")


def test_every_room_has_its_place_in_the_order(layers: dict[str, int]) -> None:
    rooms = {room(module) for module in MODULES if "." in module}
    assert rooms == set(layers)


def test_a_room_imports_only_what_is_below_it(layers: dict[str, int]) -> None:
    upwards = {
        f"{found.importer} imports {found.module}"
        for found in IMPORTS
        if room(found.importer) in layers
        and room(found.module) in layers
        and room(found.importer) != room(found.module)
        and layers[room(found.importer)] >= layers[room(found.module)]
        and room(found.module) != "toolkit.sandbox"
    }
    assert upwards == set()


def test_the_toolkit_imports_nothing_of_the_bff() -> None:
    assert {
        found
        for found in IMPORTS
        if room(found.importer).startswith("toolkit") and room(found.module).startswith("bff")
    } == set()


def test_the_bff_uses_little_of_the_toolkit() -> None:
    taken = {
        (found.importer, room(found.module))
        for found in IMPORTS
        if found.importer.startswith("bff.") and found.module.startswith("toolkit.")
    }
    assert {used for _, used in taken} == {*BFF_USES, "toolkit.cli"}
    assert {importer for importer, used in taken if used == "toolkit.cli"} == {"bff.cli"}


def test_legacy_is_mounted_in_one_place_and_known_in_no_other() -> None:
    users = [
        found
        for found in IMPORTS
        if room(found.module) == "bff.legacy" and room(found.importer) != "bff.legacy"
    ]
    assert [(found.importer, found.module, found.name) for found in users] == [
        ("bff.app", "bff.legacy.feature", "mount")
    ]


def test_the_sandbox_is_imported_in_two_places_and_only_when_it_is_needed() -> None:
    users = [
        found
        for found in IMPORTS
        if room(found.module) == "toolkit.sandbox" and room(found.importer) != "toolkit.sandbox"
    ]
    assert {found.importer for found in users} == SANDBOX_USERS
    assert all(found.inside_function for found in users)


def test_the_clerk_client_knows_nothing_of_ax() -> None:
    taken = {room(found.module) for found in IMPORTS if room(found.importer) == "toolkit.clerk"}
    assert taken == {"toolkit.clerk", "toolkit.errors"}
    texts = {
        module: path.read_text(encoding="utf-8")
        for module, path in MODULES.items()
        if room(module) == "toolkit.clerk"
    }
    assert [module for module, text in texts.items() if re.search(r"\bAX\b|\bAX_|\bax-", text)] == []


def definition(module: str, name: str) -> ast.stmt | None:
    """The function or class of that name, also where the module passes on another's."""
    for node in TREES[module].body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name:
            return node
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            passed_on = next((alias for alias in node.names if (alias.asname or alias.name) == name), None)
            if passed_on is not None:
                return definition(node.module, passed_on.name)
    return None


def owes_a_docstring(node: ast.stmt | None) -> bool:
    """Whether it is a function or a class, but for those that are their fields, whose names say what they are."""
    if isinstance(node, ast.ClassDef):
        return not any("dataclass" in ast.unparse(mark) for mark in node.decorator_list)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def test_what_other_rooms_call_has_a_docstring() -> None:
    called = {
        (found.module, found.name)
        for found in IMPORTS
        if found.name is not None and room(found.importer) != room(found.module)
    }
    defined = {(module, name): definition(module, name) for module, name in called}
    owing = {where: node for where, node in defined.items() if owes_a_docstring(node)}
    assert owing
    silent = [where for where, node in owing.items() if not ast.get_docstring(node)]  # type: ignore[arg-type]
    assert silent == []
