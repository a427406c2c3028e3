"""What Clerk may refuse of a row, though nobody but Clerk can say: told before, and in nobody's way.

Names that look like an address, a telephone number or HTML, and addresses of domains that don't exist, are refused by some
instances and not by others; Clerk's reference gives a longest name, too, but not which (`form_param_max_length_exceeded`).
"""

import re
from collections.abc import Iterator
from enum import StrEnum

from toolkit.migration.source import SourceUser

LONGEST = 256
"""Characters of a name that no instance is known to refuse."""

_RESERVED = re.compile(r"\.(?:test|invalid|example|local|localhost)$", re.IGNORECASE)  # RFC 2606, RFC 6762
_ADDRESS = re.compile(
    r"://|\bwww\.|@[\w-]+\.\w|\b[\w-]+\.(?:com|net|org|io|info|biz|ru|xyz)\b", re.IGNORECASE
)
_NUMBER = re.compile(r"\+?(?:[\s().\-/]*\d){7,}[\s()]*")
_MARKUP = re.compile(r"<\s*/?\s*[a-z!][^>]*>?|&(?:#\d+|\w+);", re.IGNORECASE)


class Oddity(StrEnum):
    """Something of a row that Clerk may refuse; the value says what."""

    RESERVED_DOMAIN = "addresses under .test, .invalid, .example, .local or .localhost"
    NAME_LIKE_ADDRESS = "names that look like a web or email address"
    NAME_LIKE_NUMBER = "names that look like a telephone number"
    NAME_LIKE_HTML = "names with HTML in them"
    NAME_LONG = f"names of more than {LONGEST} characters"


def oddities(user: SourceUser) -> Iterator[Oddity]:
    """What is odd about a row, each once."""
    if _RESERVED.search((user.email or "").strip()):
        yield Oddity.RESERVED_DOMAIN
    names = [name for name in (user.first_name, user.last_name) if name]
    for oddity, pattern in (
        (Oddity.NAME_LIKE_ADDRESS, _ADDRESS),
        (Oddity.NAME_LIKE_NUMBER, _NUMBER),
        (Oddity.NAME_LIKE_HTML, _MARKUP),
    ):
        find = pattern.fullmatch if oddity is Oddity.NAME_LIKE_NUMBER else pattern.search
        if any(find(name.strip()) for name in names):
            yield oddity
    if any(len(name) > LONGEST for name in names):
        yield Oddity.NAME_LONG
