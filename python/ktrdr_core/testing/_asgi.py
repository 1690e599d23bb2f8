"""Requests to an ASGI app without a socket."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class AsgiResponse:
    """What an app answered."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Decode the body."""
        return json.loads(self.body)


async def request(
    app: Any,
    method: str,
    path: str,
    *,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> AsgiResponse:
    """Send one request and read all of the response, however long the app takes over it."""
    content = b"" if body is None else json.dumps(body).encode()
    sent = {"host": "localhost", "content-type": "application/json", **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 80),
    }
    asked: list[dict[str, Any]] = [{"type": "http.request", "body": content, "more_body": False}]
    answered: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if asked:
            return asked.pop()
        # A client that stays: the app hears no more of it until it has answered.
        await asyncio.Event().wait()
        raise AssertionError("waited for ever")

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    await app(scope, receive, send)
    status = next(message["status"] for message in answered if "status" in message)
    return AsgiResponse(status, b"".join(message.get("body", b"") for message in answered))
