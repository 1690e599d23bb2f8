"""Secrets in headers, queries, bodies and keys stand in no log line, error, repr or metric; what injects is refused."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from conftest import MARKER
from ktrdr_core import (
    AsyncServiceAdapter,
    HostServiceConfig,
    OperationsService,
    ServiceCall,
    ServiceOrchestrator,
    errors,
)
from ktrdr_core.http import Client, RetryPolicy, Timeouts
from ktrdr_core.testing import CLOSE, HOLD, RESET, FaultServer, Step, ok, status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

OUTCOMES: dict[str, Iterable[Step]] = {
    "an answer": [ok("{}")],
    "a status": [status(500, "no")],
    "busy": [status(503, "busy", "Retry-After: 0\r\n")],
    "no JSON": [ok("<html>")],
    "reset": [RESET],
    "closed": [CLOSE],
    "held": [HOLD],
    "broken": [b"HTTP/9 what\r\n\r\n"],
    "a redirect": [status(302, "", "Location: /x\r\n")],
}
FEW = RetryPolicy(attempts=2, first_pause=0.01, busy_pause=0.01)


def spoken(caught: BaseException | None) -> list[str]:
    """Give everything that an error says, causes too."""
    said = []
    while caught is not None:
        said += [str(caught), repr(caught), json.dumps(getattr(caught, "context", {}))]
        caught = caught.__cause__ or caught.__context__
    return said


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_secret_stays_with_who_gave_it(outcome: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = {"Authorization": f"Bearer {MARKER}", "Cookie": MARKER}
    said: list[str] = []
    with (
        FaultServer(OUTCOMES[outcome]) as server,
        Client(server.url, headers=secret, retry=FEW, timeouts=Timeouts(first_byte=0.1)) as client,
    ):
        call = client.post(
            f"/orders?token={MARKER}",
            params={"key": MARKER},
            json={"password": MARKER},
            idempotency_key=MARKER,
        )
        said.append(repr(call))
        error: BaseException | None = None
        try:
            answer = call.result()
            said += [repr(answer), repr(answer.headers)]
            answer.raise_for_status().json()
        except errors.KtrdrError as caught:
            error = caught
        said += [*spoken(error), repr(client), json.dumps([client.stats(), client.metrics()])]
        assert MARKER in server.requests[0].headers["authorization"], "it was sent"
    said += [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    assert not [line for line in said if MARKER in line]


@pytest.mark.parametrize("outcome", ["a status", "busy", "reset", "held", "no JSON"])
def test_an_adapters_secret_reaches_no_log_of_an_operation(
    outcome: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    class Shy(ServiceOrchestrator):
        def _get_service_name(self) -> str:
            return "shy"

        def _get_env_var_prefix(self) -> str:
            return "SHY"

    async def main(adapter: AsyncServiceAdapter) -> tuple[str, BaseException]:
        async def work() -> Any:
            return await adapter.call_get("/state", {"key": MARKER})

        operation = Shy(env={}).start_operation("state", "state", work)
        with pytest.raises(errors.KtrdrError) as caught:
            await operation
        return operation.id, caught.value

    with FaultServer(OUTCOMES[outcome]) as server:
        config = HostServiceConfig(base_url=server.url, timeout=0.5, max_retries=1)
        headers = {"Authorization": f"Bearer {MARKER}"}
        with AsyncServiceAdapter("shy", config, headers=headers) as adapter:
            operation_id, error = asyncio.run(main(adapter))
            said = [*spoken(error), repr(adapter), json.dumps(adapter.get_detailed_metrics())]
    said += [json.dumps(event.data) for event in OperationsService().events(operation_id)]
    said += [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    assert not [line for line in said if MARKER in line]


@pytest.mark.parametrize(
    "url",
    [
        f"http://me:{MARKER}@127.0.0.1/",
        f"http://{MARKER}@127.0.0.1/",
        f"http://127.0.0.1:x/?key={MARKER}",
        f"ftp://me:{MARKER}@host/?key={MARKER}",
    ],
)
def test_a_url_with_a_password_is_refused_without_repeating_it(url: str) -> None:
    with Client() as client:
        with pytest.raises(errors.InvalidArgumentError) as caught:
            client.get(url).result()
        assert not [line for line in spoken(caught.value) if MARKER in line]
    with pytest.raises(errors.ConfigurationError) as refused:
        Client(url.partition("?")[0])
    assert not [line for line in spoken(refused.value) if MARKER in line]


SECRET: dict[str, Any] = {"Authorization": f"Bearer {MARKER}"}
HALF = "\ud83d"  # of a surrogate pair
URL = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda c, a: c.get(f"/{HALF}", headers=SECRET), "url"),
        (lambda c, a: c.get("/x", headers={**SECRET, "X": HALF}), "headers"),
        (lambda c, a: c.get("/x", params={"a": HALF, "key": MARKER}), "params"),
        (lambda c, a: c.get("/x", headers=SECRET, timeout="1"), "timeout"),
        (lambda c, a: c.get("/x", headers=f"Authorization: {MARKER}"), "headers"),
        (lambda c, a: c.get("/x", headers={**SECRET, "X": 5}), "headers"),
        (lambda c, a: c.request(HALF, "/x", headers=SECRET), "method"),
        (lambda c, a: c.post("/x", content={"password": MARKER}), "content"),
        (lambda c, a: c.post("/x", content=MARKER + HALF), "content"),
        (lambda c, a: c.post("/x", json={"password": MARKER, "a": HALF}), "surrogate"),
        (lambda c, a: c.post("/x", json={HALF: MARKER}), "surrogate"),
        (lambda c, a: c.post("/x", json=MARKER, idempotency_key=HALF), "idempotency_key"),
        (lambda c, a: a.call_post(5, {"password": MARKER}), "endpoint"),
        (lambda c, a: a.call_post(f"/{HALF}", {"password": MARKER}), "endpoint"),
        (lambda c, a: a.call_post("/x", {"password": MARKER, "a": HALF}), "surrogate"),
        (lambda c, a: a.call_get("/x", {"key": MARKER, "a": HALF}), "params"),
        (lambda c, a: a.call_batch([ServiceCall("/x", {"key": MARKER, "a": HALF})]), "surrogate"),
        (lambda c, a: Client(HALF, headers=SECRET), "base_url"),
        (lambda c, a: Client(URL, headers=SECRET, pool={"key": MARKER}), "pool"),  # type: ignore[arg-type]
        (lambda c, a: AsyncServiceAdapter("s", URL, headers={**SECRET, "X": 5}), "headers"),  # type: ignore[dict-item]
        (lambda c, a: AsyncServiceAdapter(HALF, URL, headers=SECRET), "service_name"),
        (lambda c, a: AsyncServiceAdapter("s", {"key": MARKER}), "config"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_argument_is_named_and_the_others_are_not_repeated(
    make: Callable[[Client, AsyncServiceAdapter], Any], names: str
) -> None:
    with Client(URL) as client, AsyncServiceAdapter("s", URL) as adapter:
        with pytest.raises(errors.InvalidArgumentError, match=names) as caught:
            make(client, adapter).result()
        assert not [line for line in spoken(caught.value) if MARKER in line]
        assert MARKER not in "".join(traceback.format_exception(caught.value))

        async def awaited() -> None:
            with pytest.raises(errors.InvalidArgumentError, match=names) as caught:
                await make(client, adapter)
            assert not [line for line in spoken(caught.value) if MARKER in line]

        asyncio.run(awaited())


def test_an_error_that_repeats_a_url_stays_on_its_line() -> None:
    with Client() as client:
        for url in ("http://h/\r\nX: y", "http://h/\x1b[31m", "\n/x", "http://h /" + "x" * 9999):
            with pytest.raises(errors.InvalidArgumentError) as caught:
                client.get(url).result()
            assert all(ord(c) >= 0x20 for c in str(caught.value))
            assert len(str(caught.value)) < 500


BREAKS = ["\r\nX: y", "\n", "\r", "\0"]


@pytest.mark.parametrize("injected", BREAKS)
def test_nothing_is_put_into_a_request_from_outside(injected: str) -> None:
    with FaultServer(ok("x")) as server, Client(server.url) as client:
        for call in (
            client.get(f"/a{injected}b"),
            client.get(f"/a b{injected}"),
            client.get("/", headers={"X-A": f"a{injected}b"}),
            client.get("/", headers={f"X-A{injected}": "a"}),
            client.request(f"GET{injected}", "/"),
            client.post("/", idempotency_key=f"a{injected}b"),
            client.get(f"http://127.0.0.1{injected}/"),
        ):
            with pytest.raises(errors.InvalidArgumentError):
                call.result()
        client.get("/", params={"q": f"a{injected}b"}).result()
        assert (
            len(server.requests) == 1
        ), "a query is encoded, the rest refused before anything is sent"
        assert set(server.requests[0].headers) <= {"host", "accept-encoding"}


@pytest.mark.parametrize("host", ["höst", "h st", "h\u2028st", "[::1", "a:b:c", "127.0.0.1:70000"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with Client() as client, pytest.raises(errors.InvalidArgumentError, match="nothing was sent"):
        client.get(f"http://{host}/").result()
