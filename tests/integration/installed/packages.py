"""Which packages an installation has, by what pyproject.toml says."""

import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution, packages_distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from toolkit.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def runtime() -> list[Distribution]:
    """What an installation without extras consists of beside the project, out of our own environment."""
    found: dict[str, Distribution] = {}
    wanted = [Requirement(line) for line in PROJECT["dependencies"]]
    while wanted:
        requirement = wanted.pop()
        if requirement.marker and not requirement.marker.evaluate():
            continue
        package = distribution(requirement.name)
        found[canonicalize_name(requirement.name)] = package
        wanted.extend(_needed(package, requirement.extras))
    return list(found.values())


def _needed(package: Distribution, extras: set[str]) -> Iterator[Requirement]:
    for line in package.requires or ():
        needed = Requirement(line)
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            needed.marker = None
            yield needed


def sandbox_modules() -> list[str]:
    """The modules that the packages of the extra `sandbox` bring."""
    names = {
        canonicalize_name(Requirement(line).name) for line in PROJECT["optional-dependencies"]["sandbox"]
    }
    return sorted(
        module
        for module, packages in packages_distributions().items()
        if any(canonicalize_name(package) in names for package in packages)
    )
