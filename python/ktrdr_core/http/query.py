"""The query of a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping


def with_params(url: str, params: Mapping[str, Any] | None) -> str:
    """Put ``params`` behind ``url``, encoded, and behind a query that it has already."""
    if not params:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(params, doseq=True)}"
