"""What other clients' users expect: forms, who asks, a body line by line, and a line of log for each request."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import MARKER
from ktrdr_core import AsyncServiceAdapter, _bridge, errors
from ktrdr_core.http import Bearer, Client, RetryPolicy
from ktrdr_core.http.lines import Lines
from ktrdr_core.testing import RESET, Domain, FaultServer, ok, status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ONCE = RetryPolicy(attempts=1)
# What a caller without a type checker may write.
untyped: Any = None

# ---- forms


def test_a_form_is_sent_as_browsers_send_it() -> None:
    fields = {
        "name": "Ada & Co",
        "text": "größe\r\n=1",
        "list": [1, None, "two"],
        "none": None,
        "no": "",
    }
    with FaultServer(ok("{}")) as server, Client(server.url) as client:
        client.post("/login", data=fields).result()
        client.put("/login", data={}, headers={"content-type": "text/mine"}).result()
        with client.stream("POST", "/login", data={"a": 1}) as response:
            response.read()
    first, empty, streamed = server.requests
    assert first.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qsl(first.body.decode(), keep_blank_values=True) == [
        ("name", "Ada & Co"),
        ("text", "größe\r\n=1"),
        ("list", "1"),
        ("list", "two"),
        ("no", ""),
    ]
    assert (empty.body, empty.headers["content-type"]) == (b"", "text/mine")
    assert streamed.body == b"a=1"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"data": {}, "json": None}, "data and json are both the body"),
        ({"data": {"a": 1}, "content": b""}, "content and data are both the body"),
        ({"content": b"", "json": 1}, "content and json are both the body"),
        ({"data": "a=1"}, "data must be mapping"),
        ({"data": b"a=1"}, "data must be mapping"),
        ({"data": 5}, "data must be mapping"),
        ({"data": {"a": "\ud83d"}}, "data holds half of a surrogate pair"),
        ({"auth": "me:you"}, "auth must be"),
        ({"auth": ("me",)}, "auth must be"),
        ({"auth": ("me", 5)}, "auth must be"),
        ({"auth": ("me:", "you")}, "colon"),
        ({"auth": ("me\n", "you")}, "line break"),
        ({"auth": ("me", "you\ud83d")}, "line break"),
    ],
)
def test_what_cannot_be_sent_is_named(options: dict[str, Any], words: str) -> None:
    with FaultServer(ok("{}")) as server, Client(server.url) as client:
        for make in (client.post, lambda url, **o: client.request("POST", url, **o)):
            with pytest.raises(errors.InvalidArgumentError, match=words):
                make("/", **options)
        assert server.requests == []


# ---- who asks


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("clients", "requests", "sent"),
    [
        ({"auth": ("me", "yöu:x")}, {}, basic("me", "yöu:x")),
        ({"auth": Bearer("tok")}, {}, "Bearer tok"),
        ({}, {"auth": ("", "")}, basic("", "")),
        ({"auth": Bearer("tok")}, {"auth": ("me", "you")}, basic("me", "you")),
        ({"headers": {"authorization": "Own 1"}}, {"auth": Bearer("tok")}, "Bearer tok"),
        ({"auth": Bearer("tok")}, {"headers": {"AUTHORIZATION": "Own 2"}}, "Own 2"),
        ({"auth": Bearer("tok"), "headers": {"authorization": "Own 3"}}, {}, "Own 3"),
        ({}, {"auth": Bearer("tok"), "headers": {"Authorization": "Own 4"}}, "Own 4"),
    ],
)
def test_who_asks_is_said_once_and_the_nearest_to_the_request_wins(
    clients: dict[str, Any], requests: dict[str, Any], sent: str
) -> None:
    with FaultServer(ok("{}")) as server:
        with Client(server.url, **clients) as client:
            client.get("/", **requests).result()
            with client.stream("GET", "/", **requests) as response:
                response.read()
        if not requests:
            with AsyncServiceAdapter("s", server.url, **clients) as adapter:
                adapter.call_get("/").result()
        for request in server.requests:
            values = [value for name, value in request.fields if name.lower() == "authorization"]
            assert values == [sent]


def test_another_service_does_not_hear_who_asked() -> None:
    with FaultServer(ok("{}")) as other:
        away = status(302, "", f"Location: {other.url}/\r\n")
        with FaultServer(away) as server, Client(server.url, auth=Bearer(MARKER)) as client:
            client.get("/", max_redirects=2).result()
            assert "authorization" in server.requests[0].headers
    assert "authorization" not in other.requests[0].headers


@pytest.mark.parametrize("token", ["", "two words", "a\nb", "ü", "a\0", "\ud83d"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="token must be"):
        Bearer(token)
    with pytest.raises(errors.InvalidArgumentError, match="token must be str, not bytes"):
        Bearer(b"token")  # type: ignore[arg-type]


@pytest.fixture
def at_debug() -> Iterator[None]:
    logger = logging.getLogger("ktrdr_core")
    before = logger.level
    logger.setLevel(logging.DEBUG)
    _bridge.start()
    yield
    logger.setLevel(before)
    _bridge.start()


def test_no_one_who_asks_shows_anywhere(at_debug: None, caplog: pytest.LogCaptureFixture) -> None:
    token = Bearer(MARKER)
    assert (repr(token), str(token), f"{token}") == ("<Bearer …>",) * 3
    assert (token, hash(token)) == (Bearer(MARKER), hash(Bearer(MARKER)))
    said = [repr({"auth": token})]
    with FaultServer([RESET]) as server:
        for auth in (token, ("me", MARKER), (MARKER, "x")):
            with Client(server.url, auth=auth, retry=ONCE) as client:
                call = client.get("/", auth=auth)
                said += [repr(client), repr(call)]
                with pytest.raises(errors.ServiceConnectionError) as caught:
                    call.result()
                said += [str(caught.value), repr(caught.value.context)]
    said += [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    encoded = [
        base64.b64encode(text).decode()
        for text in (f"me:{MARKER}".encode(), f"{MARKER}:x".encode())
    ]
    for secret in (MARKER, *encoded):
        assert not [line for line in said if secret in line]


# ---- lines


def whole(text: str) -> list[str]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if not lines[-1] else lines


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(st.sampled_from("ab\r\n\u2028ü😀"), max_size=30),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    charset=st.sampled_from(["utf-8", "utf-16", "cp1252"]),
)
def test_lines_are_the_same_however_their_bytes_come(
    text: str, cuts: list[int], charset: str
) -> None:
    body = text.encode(charset, "replace")
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[a:b] for a, b in zip(places, places[1:], strict=False)]
    expected = whole(body.decode(charset, "replace"))
    assert list(Lines(untyped, iter(pieces), charset)) == expected

    async def give() -> Any:
        for piece in pieces:
            yield piece

    async def read() -> list[str]:
        return [line async for line in Lines(give(), untyped, charset)]

    assert asyncio.run(read()) == expected


def test_a_stream_is_read_line_by_line() -> None:
    body = "eins\r\nzwei\ngröße\r\n\r\nend".encode("latin-1")
    kind = "Content-Type: text/plain; charset=latin-1\r\n"
    with FaultServer(ok(body, kind)) as server, Client(server.url) as client:
        with client.stream("GET", "/") as response:
            assert list(response.iter_lines()) == ["eins", "zwei", "größe", "", "end"]

        async def main() -> list[str]:
            async with client.stream("GET", "/") as response:
                lines = response.aiter_lines()
                first = await anext(lines)
                return [first, *[line async for line in lines]]

        assert asyncio.run(main()) == ["eins", "zwei", "größe", "", "end"]


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ktrdr_core.http import lines

    monkeypatch.setattr(lines, "LONGEST_LINE", 1000)
    with FaultServer(ok(b"x" * 100_000)) as server, Client(server.url) as client:
        with client.stream("GET", "/") as response:
            with pytest.raises(errors.ResponseTooLargeError, match="longer than 1000 characters"):
                next(response.iter_lines())


# ---- a line of log


@pytest.mark.parametrize(
    ("way", "logged"),
    [
        (lambda c, a: c.get("/x?key=hush"), r"GET {url}/v1/x: 200 in [\d.]+ ms"),
        (
            lambda c, a: c.get("http://127.0.0.1:1/x?key=hush"),
            r"GET http://127.0.0.1:1/x: service_connection in [\d.]+ ms",
        ),
        (
            lambda c, a: c.post("/missing", params={"key": "hush"}),
            r"POST {url}/v1/missing: 404 in [\d.]+ ms",
        ),
        (lambda c, a: c.get("/moved", max_redirects=1), r"GET {url}/v1/moved: 302 in [\d.]+ ms"),
        (lambda c, a: a.call_get("/x", {"key": "hush"}), r"GET {url}/v1/x: 200 in [\d.]+ ms"),
    ],
)
def test_each_request_is_a_line_at_debug_without_what_may_be_secret(
    way: Callable[[Client, AsyncServiceAdapter], Any],
    logged: str,
    at_debug: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def answer(request: Any) -> bytes:
        if "missing" in request.target:
            return status(404)
        return status(302, "", "Location: /v1/x\r\n") if "moved" in request.target else ok("{}")

    with (
        FaultServer(answer) as server,
        Client(f"{server.url}/v1", retry=ONCE) as client,
        AsyncServiceAdapter("s", f"{server.url}/v1") as adapter,
    ):
        for run in (lambda one: one.result(), asyncio.run):
            caplog.clear()
            with suppress(errors.ServiceConnectionError):
                run(way(client, adapter))
            _bridge.forward_logs()
            lines = [r for r in caplog.records if r.name == "ktrdr_core.http"]
            pattern = "http: " + logged.format(url=re.escape(server.url))
            assert [r for r in lines if re.fullmatch(pattern, r.getMessage())], caplog.text
            assert {r.levelno for r in lines} == {logging.DEBUG}
            assert "hush" not in caplog.text


def test_a_stream_is_a_line_too_and_a_call_names_its_operation(
    at_debug: None, caplog: pytest.LogCaptureFixture
) -> None:
    with FaultServer(ok("{}")) as server, Client(server.url) as client:
        with client.stream("GET", "/s") as response:
            response.read()
        _bridge.forward_logs()
        assert re.search(rf"http: GET {re.escape(server.url)}/s: 200 in [\d.]+ ms", caplog.text)
        with AsyncServiceAdapter("s", server.url) as adapter:

            async def work() -> Any:
                return await adapter.call_get("/op")

            Domain().run_sync_operation("W", "w", work)
    _bridge.forward_logs()
    (line,) = [r for r in caplog.records if "/op" in r.getMessage()]
    assert line.__dict__["ktrdr_operation_id"].startswith("op_w_")


def test_without_debug_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("ktrdr_core").setLevel(logging.INFO)
    try:
        with FaultServer(ok("{}")) as server, Client(server.url) as client:
            client.get("/").result()
        _bridge.forward_logs()
    finally:
        logging.getLogger("ktrdr_core").setLevel(logging.NOTSET)
    assert [r for r in caplog.records if r.name == "ktrdr_core.http"] == []
