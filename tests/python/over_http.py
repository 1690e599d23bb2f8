"""What the operations over HTTP have answered, taken apart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx


def data_of(response: httpx.Response, status: int = 200) -> Any:
    answer = response.json()
    assert (response.status_code, answer["success"], answer["error"]) == (status, True, None)
    return answer["data"]


def error_of(response: httpx.Response, status: int) -> Any:
    answer = response.json()
    assert (response.status_code, answer["success"], answer["data"]) == (status, False, None)
    assert set(answer["error"]) == {"code", "message", "details"}
    return answer["error"]


def parse(block: str) -> tuple[int, str, dict[str, Any]]:
    fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
    return int(fields["id"].partition("-")[0]), fields["event"], json.loads(fields["data"])
