"""A request as an ASGI server hands it to an app, for what no client of tests can do: leave in the middle."""

from __future__ import annotations

from typing import Any


def posted(path: str, body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the scope of a POST of JSON, and the message that brings its whole body."""
    headers = {"host": "localhost", "content-type": "application/json", "content-length": len(body)}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), str(value).encode()) for name, value in headers.items()],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    return scope, {"type": "http.request", "body": body, "more_body": False}
