"""The extra `sandbox`: its packages are there for who tries things out, not in production."""

from collections.abc import Iterator
from contextlib import contextmanager

from toolkit.errors import UsageError


class SandboxMissing(UsageError):
    """The packages of the extra `sandbox` are not installed."""


@contextmanager
def sandbox_extra() -> Iterator[None]:
    """For the import of a module of toolkit.sandbox. Raises SandboxMissing when a package that it needs is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "toolkit":
            raise
        raise SandboxMissing(
            f"The sandbox needs packages that are not installed here ({error.name} is missing). "
            "Install them: `pip install 'postgres-to-clerk[sandbox]'`."
        ) from error
