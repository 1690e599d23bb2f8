"""The query of a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping


def with_params(url: str, params: Mapping[str, Any] | None) -> str:
    """Put ``params`` behind ``url``, encoded, and behind a query that it has already; None sends nothing."""
    if not params:
        return url
    query = urlencode(without_none(params), doseq=True)
    if not query:
        return url
    # A fragment is the caller's own affair, and a query behind it would be part of it.
    url = url.partition("#")[0]
    mark = "?" if "?" not in url else "" if url.endswith(("?", "&")) else "&"
    return f"{url}{mark}{query}"


def without_none(params: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what has no value, in lists too."""
    return {
        name: (
            [item for item in value if item is not None]
            if isinstance(value, list | tuple)
            else value
        )
        for name, value in params.items()
        if value is not None
    }
