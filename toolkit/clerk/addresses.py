"""When two email addresses are the same to Clerk.

Clerk gives an address to one user only, however it is written, and doesn't say which ways of writing are one to it. So the
rule is the careful one: two that may be the same to Clerk are the same here, where a wrong "same" holds somebody back for a
person to look at, and a wrong "different" makes two accounts of one identity. The same are

- capital and small letters, in every script: with Greek's final sigma, ß and ss, and all four i of Turkish (systems differ
  in what the small letter of İ and the capital one of ı are);
- a letter composed or decomposed, of full width, in a ligature, or another sign for it (Unicode's compatibility: K for kelvin);
- a domain in Unicode or in punycode, and the ideographic full stop in it;
- what has blanks around it.

Not covered: invisible characters, a dot after the domain, and what only the mail server knows (`+tag`, dots in the name).

SQL has the same rule, `clerk_migration.normal_address` (sql/expand/toolkit/toolkit-0002-addresses.sql). What is typed is
normalized here, what is stored is normalized there: so all that find one account also count for one limit, whichever
version of Unicode each side has.
"""

import unicodedata

_BLANKS = " \t\n\r\f\v"


def normal_address(address: str) -> str:
    """What an address has in common with all that are the same to Clerk. To compare, never to show or to write to."""
    folded = _folded(address)
    name, at, domain = folded.rpartition("@")
    if "xn--" not in domain:
        return folded
    return _folded(name + at + ".".join(map(_from_punycode, domain.split("."))))


def same_mailbox(one: str, other: str) -> bool:
    """Whether what is proven of one address is proven of the other.

    A wrong "same" would vouch for somebody else's mailbox here. So nothing counts as the same but what Clerk makes of an
    address when it keeps it: Unicode's form NFKC, small letters, no blanks around it.
    """
    return _kept(one) == _kept(other)


def _kept(address: str) -> str:
    return unicodedata.normalize("NFKC", address).strip().lower()


def _folded(written: str) -> str:
    """Decomposed (NFKD), every letter in its lower case, no blanks around it."""
    small = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", written).casefold())
    return small.replace("ı", "i").replace("i\u0307", "i").replace("。", ".").strip(_BLANKS)


def _from_punycode(label: str) -> str:
    """A domain's label that begins with xn-- as what it stands for (RFC 3492); any other as it is."""
    if not label.startswith("xn--"):
        return label
    try:
        decoded = label.removeprefix("xn--").encode("ascii").decode("punycode")
        decoded.encode()  # there are no surrogates in a database
    except UnicodeError:
        return label
    return decoded
