"""The core's messages name the arguments of Python; on the command line they are options."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPTIONS = {
    "start_date": "--start",
    "end_date": "--end",
    "ib_url": "--ib-url",
    "data_dir": "--data-dir",
    "models_dir": "--models-dir",
}
# Of arguments whose names are words as well, where a message begins with one.
_FIELDS = {"symbols": "--symbols", "timeframes": "--timeframes", "limit": "--limit"}
# What only somebody who writes Python can do stands in such brackets; a text in quotes is somebody else's.
_TEXT = re.compile(
    rf"""\s*\(the\ argument[^()]*\)
    | \b(?P<set>{'|'.join(_OPTIONS)})=\"(?P<value>[^\"\s]*)\"
    | \"(?:[^\"\\]|\\.)*\"
    | \b(?P<name>{'|'.join(_OPTIONS)})\b=?""",
    re.VERBOSE,
)


def in_own_words(message: str, context: Mapping[str, Any] | None = None) -> str:
    """Say a message of the core as the command line would.

    Parameters
    ----------
    message : str
        Of an error or a warning.
    context : mapping, optional
        The error's facts.

    Examples
    --------
    >>> from ktrdr_core.cli.own_words import in_own_words
    >>> in_own_words('start_date is late (the argument start_date): give ib_url="http://h:1"')
    '--start is late: give --ib-url http://h:1'
    """
    field = (context or {}).get("field")
    if field in _FIELDS and message.startswith(field):
        message = _FIELDS[field] + message.removeprefix(field)
    message = message.replace("give overwrite=True", "give --overwrite")
    return _TEXT.sub(_own, message)


def _own(found: re.Match[str]) -> str:
    if found["set"]:
        return f"{_OPTIONS[found['set']]} {found['value']}"
    if found["name"]:
        return _OPTIONS[found["name"]]
    return found[0] if found[0].startswith('"') else ""
