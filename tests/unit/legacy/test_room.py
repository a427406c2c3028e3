"""Legacy is one room: what names its columns is in one file, and what knows of it is one place in bff/app.py."""

import re

from toolkit.paths import QUERIES, ROOT

LEGACY = re.compile(r"\b(hashed_password|enabled_2fa|totp_cipher|nonce|password_reset_codes)\b")
IMPORTS_OWN = {"source.sql"}
"""What reads the source view, whose columns have some of the same names."""


def test_every_query_that_names_legacys_columns_is_in_one_file() -> None:
    naming = {path.name for path in QUERIES.glob("*.sql") if LEGACY.search(path.read_text())}
    assert naming - IMPORTS_OWN == {"legacy.sql"}


def test_no_module_beside_legacy_names_its_columns_in_sql() -> None:
    naming = {
        path.relative_to(ROOT)
        for path in (ROOT / "bff").rglob("*.py")
        if "legacy" not in path.parts
        and re.search(r"\b(hashed_password|enabled_2fa|totp_cipher)\b", path.read_text())
    }
    assert naming == set()
