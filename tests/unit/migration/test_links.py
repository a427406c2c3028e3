"""What is said of a write-back query that can't be one."""

import re
from pathlib import Path

import pytest

from toolkit.migration.links import Links
from toolkit.migration.reading import SourceInvalid
from toolkit.paths import SQL


@pytest.mark.parametrize("query", ["SELECT 1", "-- name: link!\nDELETE FROM users"])
def test_a_query_that_is_no_write_back_is_shown_one_that_is_there(tmp_path: Path, query: str) -> None:
    path = tmp_path / "ours_link.sql"
    path.write_text(query)
    example = SQL / "sources" / "ax_link.sql"
    assert example.is_file()
    with pytest.raises(SourceInvalid, match=re.escape(f"{path} must hold one query") + f".* see {example}"):
        Links(path)
