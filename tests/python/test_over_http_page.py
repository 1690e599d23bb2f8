"""docs/guide/over-http.md says what the routes are, what they answer and what events carry."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ktrdr_core import OperationsService, current_operation, errors
from ktrdr_core.fastapi import operations_router
from ktrdr_core.testing import Domain
from over_http import parse

PAGE = (Path(__file__).parents[2] / "docs" / "guide" / "over-http.md").read_text()
KINDS = re.findall(r"^\| `(?!event`)(\w+)` \| [^|]* \| [^|]* \|$", PAGE, re.MULTILINE)
EXAMPLES = {
    kind: json.loads(text)
    for kind, text in re.findall(r"^```json (\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
}


def test_the_page_lists_every_route_with_every_status() -> None:
    app = FastAPI()
    app.include_router(operations_router())
    routes = {
        (method.upper(), path): sorted(described["responses"])
        for path, methods in app.openapi()["paths"].items()
        for method, described in methods.items()
    }
    rows = re.findall(r"^\| `(\w+) (/operations\S*)` \|.*\| ([\d ]+) \|$", PAGE, re.MULTILINE)
    assert {(method, path): codes.split() for method, path, codes in rows} == routes


async def every_kind() -> None:
    here = current_operation()
    assert here is not None
    here.progress.start_operation(here.id, 4)
    here.progress.update_progress(1, "Reading", items_processed=10)
    here.add_metric({"epoch": 3, "loss": 0.52})
    here.add_warning("three bars are missing")
    here.add_log("asked the service again")
    await asyncio.Event().wait()


def events() -> dict[str, list[dict[str, Any]]]:
    """The data of real events, as they go over the wire, by kind."""
    app = FastAPI()
    app.include_router(operations_router())

    async def main() -> str:
        operation = Domain(env={}).start_operation("Every kind", "every_kind", every_kind)
        async for event in OperationsService().follow(operation.id):
            if event.kind == "log":
                operation.cancel("enough")
        with pytest.raises(errors.OperationCancelledError):
            await operation
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.get(f"/operations/{operation.id}/events")).text

    found: dict[str, list[dict[str, Any]]] = {}
    for block in asyncio.run(main()).split("\r\n\r\n"):
        if block and not block.startswith(":"):
            _, kind, data = parse(block)
            found.setdefault(kind, []).append(data)
    return found


def test_the_page_has_an_example_of_each_kind_of_event_as_it_is() -> None:
    found = events()
    assert set(found) == set(KINDS) == set(EXAMPLES)
    for kind, example in EXAMPLES.items():
        shapes = [shape(data) for data in found[kind]]
        assert shape(example) in shapes, (kind, shapes)


def shape(data: Any) -> Any:
    """The keys of what is nested, with nothing but their names."""
    return {key: shape(value) for key, value in data.items()} if isinstance(data, dict) else None


def test_the_page_s_filter_keeps_tickets_out_of_uvicorn_s_own_access_log() -> None:
    source = re.search(r"^class WithoutQuery.*?\n\n\n", PAGE, re.MULTILINE | re.DOTALL)
    assert source is not None
    names: dict[str, Any] = {"logging": logging}
    exec(source[0], names)
    # As uvicorn's protocols call it; a test of theirs would notice another number of arguments.
    record = logging.LogRecord(
        "uvicorn.access",
        logging.INFO,
        "",
        0,
        '%s - "%s %s HTTP/%s" %d',
        ("127.0.0.1:1", "GET", "/operations/x/events?ticket=hush", "1.1", 200),
        None,
    )
    assert names["WithoutQuery"]().filter(record)
    assert record.getMessage() == '127.0.0.1:1 - "GET /operations/x/events HTTP/1.1" 200'
