"""What a gateway's error becomes for those who asked."""

from __future__ import annotations

from dataclasses import dataclass

from ... import errors
from .codes import Kind

#: What who asks is told once the source is closed.
CLOSED = "the source of the gateway is closed: make another one"


@dataclass
class GatewayError(Exception):
    """A request that the gateway answered by an error."""

    code: int
    text: str
    #: Equal for the requests that one notice is about; 0 where it is about one alone.
    notice: int = 0


class NothingThere(Exception):
    """The gateway says that there are no bars."""


class NotTraded(Exception):
    """The gateway knows no contract of that name."""


def refused(what: str, error: GatewayError, kind: Kind) -> Exception:
    """Make of an error that stays what is raised."""
    if kind is Kind.empty:
        return NothingThere(error.text)
    if kind is Kind.contract:
        return NotTraded(error.text)
    said = f"{what}: the gateway says {error.code}: {error.text}"
    facts = {"code": error.code, "text": error.text}
    if kind is Kind.permission:
        return errors.ConfigurationError(
            f"{said}; subscribe to this market's data in IB's Client Portal, and log the gateway in anew",
            context=facts,
        )
    if kind is Kind.bad_request and error.code != 162:
        return errors.ConfigurationError(said, context=facts)
    return errors.HostServiceError(said, context=facts)
