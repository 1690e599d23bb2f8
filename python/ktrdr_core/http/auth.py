"""Who asks: a name with a password, or a token, that no log, error or repr shows."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from .._bridge.arguments import checked_headers, described
from ..errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Bearer:
    """A token that is sent as ``Authorization: Bearer …``.

    Parameters
    ----------
    token : str
        As the service gave it.

    Raises
    ------
    InvalidArgumentError
        For what is no str, is empty, or holds a blank, a line break or a character outside ASCII.

    Examples
    --------
    >>> from ktrdr_core.http import Bearer
    >>> Bearer("secret")
    <Bearer …>
    """

    __slots__ = ("_token",)

    def __init__(self, token: str) -> None:
        if not isinstance(token, str):
            raise InvalidArgumentError(
                f"token must be str, not {described(token)}", context={"field": "token"}
            )
        if not token or not all("!" <= letter <= "~" for letter in token):
            raise InvalidArgumentError(
                "token must be letters, digits and marks of ASCII, without a blank or a line break",
                context={"field": "token"},
            )
        self._token = token

    def __repr__(self) -> str:
        return "<Bearer …>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bearer) and self._token == other._token

    def __hash__(self) -> int:
        return hash(self._token)


#: ``(user, password)``, or a token.
Auth = tuple[str, str] | Bearer


def _authorization(auth: Any) -> str:
    """Give the field ``Authorization`` for it.

    Raises
    ------
    InvalidArgumentError
        For anything else than two str or a ``Bearer``, and for a user's name with a colon, without repeating it.
    """
    if isinstance(auth, Bearer):
        return f"Bearer {auth._token}"
    if (
        not isinstance(auth, tuple)
        or len(auth) != 2
        or not all(isinstance(part, str) for part in auth)
    ):
        raise InvalidArgumentError(
            'auth must be ("user", "password") or Bearer("token")', context={"field": "auth"}
        )
    user, password = auth
    if ":" in user or not (user + password).isprintable():
        raise InvalidArgumentError(
            "auth: a user's name holds no colon, and neither it nor the password a line break",
            context={"field": "auth"},
        )
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def with_auth(headers: Mapping[str, str] | None, auth: Any) -> dict[str, str]:
    """Copy the headers, with ``Authorization`` for ``auth`` where they have none of their own."""
    fields = checked_headers(headers)
    if auth is not None:
        value = _authorization(auth)
        if not any(name.lower() == "authorization" for name in fields):
            fields["Authorization"] = value
    return fields
