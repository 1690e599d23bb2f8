"""In which encoding a body's text is."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Known to Python by these names, and in no service's text: they decode to something other than text, raise whatever is
# asked of them, or take for ever.
_PYTHONS_ALONE = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}

# No charset has a longer name.
_LONGEST = 40


def charset_of(headers: Mapping[str, str]) -> str:
    """Give Python's name for the charset of ``Content-Type``; ``utf-8`` for none, and for one that is not known."""
    for part in headers.get("content-type", "").replace(" ", "").split(";"):
        name, _, value = part.partition("=")
        if name.lower() == "charset":
            return _known(value.strip("\"'"))
    return "utf-8"


def _known(charset: str) -> str:
    try:
        # Python keeps in mind what it was asked for, for ever.
        found = codecs.lookup(charset[:_LONGEST])
        # What is no text encoding (hex, zip, rot13) is refused here.
        b"x".decode(found.name, "replace")
    except (LookupError, ValueError):
        return "utf-8"
    return "utf-8" if found.name in _PYTHONS_ALONE else found.name
