"""Where things are that are not Python."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder with the packages: the checkout, or where a wheel is installed."""
_IN_WHEEL = Path(__file__).resolve().parent / "shipped"
SHIPPED = _IN_WHEEL if _IN_WHEEL.is_dir() else ROOT
"""The folder with `sql`, `yoyo.ini` and the sandbox's playbook: the checkout, or what toolkit/wheel.py made of it."""
SQL = SHIPPED / "sql"
QUERIES = SQL / "queries"
