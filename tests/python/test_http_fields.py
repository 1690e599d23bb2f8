"""Whose header fields win, what a URL carries, and how a body's text is read."""

from __future__ import annotations

import asyncio
import encodings.aliases
import json
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from ktrdr_core import AsyncServiceAdapter, ServiceCall, errors
from ktrdr_core.http import Client
from ktrdr_core.testing import CLOSE, Domain, FaultServer, ok, status

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 1\ndata: 1\n\n"


class Recorded:
    """A server that answers as it is told to, and tells of every field that came."""

    def __init__(self) -> None:
        self.answer: Any = ok("{}")
        self.server = FaultServer(lambda _: self.answer)
        self.url = self.server.url

    def fields(self, name: str, number: int = -1) -> list[str]:
        request = self.server.requests[number]
        return [value for key, value in request.fields if key.lower() == name]


@pytest.fixture
def server() -> Iterator[Recorded]:
    recorded = Recorded()
    yield recorded
    recorded.server.close()


# ---- whose field wins


@pytest.mark.parametrize("spelt", ["Content-Type", "content-type", "CONTENT-TYPE"])
def test_the_callers_own_content_type_wins_over_that_of_json(spelt: str, server: Recorded) -> None:
    own = {spelt: "application/vnd.api+json"}
    with Client(server.url) as client:
        client.post("/", json={}, headers=own).result()
        assert server.fields("content-type") == ["application/vnd.api+json"]
        client.post("/", headers=own, json={}).result()
        assert server.fields("content-type") == ["application/vnd.api+json"]
        client.post("/", json={}).result()
        assert server.fields("content-type") == ["application/json"]
    with Client(server.url, headers=own) as client:
        client.post("/", json={}).result()
        assert server.fields("content-type") == ["application/vnd.api+json"]
        client.post("/", json={}, headers={"content-Type": "text/x"}).result()
        assert server.fields("content-type") == ["text/x"]
        with client.stream("POST", "/", json={}) as response:
            response.read()
        assert server.fields("content-type") == ["application/vnd.api+json"]
    with AsyncServiceAdapter("s", server.url, headers=own) as adapter:
        adapter.call_post("/", {}).result()
        adapter.call_batch([ServiceCall("/", {"a": 1})]).result()
        assert server.fields("content-type", -1) == ["application/vnd.api+json"]
        assert server.fields("content-type", -2) == ["application/vnd.api+json"]


@pytest.mark.parametrize("spelt", [str.title, str.lower, str.upper])
def test_the_callers_own_fields_win_over_those_of_events(spelt: Any, server: Recorded) -> None:
    server.answer = [EVENTS, CLOSE]
    own = {spelt("Accept"): "text/event-stream;q=1", spelt("Cache-Control"): "no-cache"}

    def check(expected: list[list[str]]) -> None:
        got = [server.fields(name) for name in ("accept", "cache-control", "last-event-id")]
        assert got == expected

    mine = [["text/event-stream;q=1"], ["no-cache"], []]
    with Client(server.url) as client:
        with client.events("/", headers=own) as events:
            next(iter(events))
        check(mine)
        with client.events("/") as events:
            next(iter(events))
        check([["text/event-stream"], ["no-store"], []])
        with client.events("/", headers={spelt("Last-Event-ID"): "5"}) as events:
            next(iter(events))
        check([["text/event-stream"], ["no-store"], ["5"]])
    with Client(server.url, headers=own) as client, client.events("/") as events:
        next(iter(events))
        check(mine)
    with AsyncServiceAdapter("s", server.url, headers=own) as adapter:
        with adapter.events("/") as events:
            next(iter(events))
        check(mine)
        server.answer = ok("{}")
        adapter.call_get("/").result()
        check(mine)
    with AsyncServiceAdapter("s", server.url) as adapter:
        server.answer = [EVENTS, CLOSE]
        with adapter.events("/") as events:
            next(iter(events))
        check([["text/event-stream"], ["no-store"], []])


@pytest.mark.parametrize("spelt", ["Idempotency-Key", "idempotency-key"])
def test_the_callers_own_key_wins(spelt: str, server: Recorded) -> None:
    with Client(server.url) as client:
        client.post("/", idempotency_key="a", headers={spelt: "b"}).result()
        assert server.fields("idempotency-key") == ["b"]
    with AsyncServiceAdapter("s", server.url, headers={spelt: "b"}) as adapter:
        adapter.call_post("/", idempotency_key="a").result()
        assert server.fields("idempotency-key") == ["b"]
        adapter.call_batch([ServiceCall("/", {}, idempotency_key="a")]).result()
        assert server.fields("idempotency-key") == ["b"]


def test_what_an_adapter_says_of_itself_gives_way_too(server: Recorded) -> None:
    own = {"x-operation-id": "mine", "x-deadline-ms": "5", "ACCEPT-ENCODING": "identity"}
    with AsyncServiceAdapter("s", server.url, headers=own) as adapter:

        async def work() -> Any:
            return await adapter.call_get("/")

        Domain().run_sync_operation("W", "w", work)
    for name, value in own.items():
        assert server.fields(name.lower()) == [value]


def test_no_field_comes_twice_whoever_gave_it(server: Recorded) -> None:
    with Client(server.url, headers={"X-Token": "1", "Accept": "a/b"}) as client:
        client.get("/", headers={"x-token": "2", "ACCEPT": "c/d"}).result()
    assert (server.fields("x-token"), server.fields("accept")) == (["2"], ["c/d"])


def test_what_went_with_a_body_stays_behind_when_a_redirect_becomes_a_get(server: Recorded) -> None:
    answers = iter([status(303, "", "Location: /there\r\n"), ok("x")])
    server.server.handler = lambda _: next(answers)
    with Client(server.url) as client:
        client.post("/", json={}, max_redirects=1).result()
    assert server.fields("content-type", 0) == ["application/json"]
    assert server.fields("content-type", 1) == []


# ---- the URL


@pytest.mark.parametrize(
    ("url", "params", "target"),
    [
        ("/a", {"a": None}, "/a"),
        ("/a", {"a": None, "b": 1}, "/a?b=1"),
        ("/a", {"l": [1, None, 2], "m": (None,)}, "/a?l=1&l=2"),
        ("/a?x=1", {"a": None}, "/a?x=1"),
        ("/a?x=1", {"b": ""}, "/a?x=1&b="),
        ("/a?", {"b": 1}, "/a?b=1"),
        ("/a", {"zero": 0, "no": False, "empty": []}, "/a?zero=0&no=False"),
        ("/a#part", None, "/a"),
        ("/a?x=1#part", None, "/a?x=1"),
        ("/a#part", {"b": 1}, "/a?b=1"),
        ("/a?x=1#part?y=2", {"b": 1}, "/a?x=1&b=1"),
        ("/#", None, "/"),
        ("#", {"b": 1}, "/?b=1"),
        ("", None, "/"),
    ],
)
def test_a_target_has_neither_what_has_no_value_nor_a_fragment(
    url: str, params: Any, target: str
) -> None:
    with FaultServer(ok("{}")) as server, Client(server.url) as client, Client() as anywhere:
        whole = f"{server.url}{url}"
        urls = [anywhere.get(whole, params=params).result().url]
        if url.startswith("/"):
            urls.append(client.get(url, params=params).result().url)
            with client.stream("GET", url, params=params) as response:
                response.read()
            urls.append(response.url)
        assert {request.target for request in server.requests} == {target}
        for shown in urls:
            assert shown.startswith(server.url)
            assert "#" not in shown
        if url.startswith("/"):
            with AsyncServiceAdapter("s", server.url) as adapter:
                adapter.call_get(url, params).result()
                adapter.call_batch([ServiceCall(url, params=params)]).result()
            assert {request.target for request in server.requests} == {target}


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/there", "/there"),
        ("there?b=1", "/there?b=1"),
        ("?c=2", "/a?c=2"),
        ("{url}/there#part", "/there"),
        ("//{host}/there", "/there"),
    ],
)
def test_a_responses_url_has_its_host_after_redirects_too(location: str, path: str) -> None:
    with FaultServer() as server:
        host = server.url.removeprefix("http://")
        answers = iter(
            [
                status(302, "", f"Location: {location.format(url=server.url, host=host)}\r\n"),
                ok("there"),
            ]
            * 2
        )
        server.handler = lambda _: next(answers)
        with Client(server.url) as client:
            response = client.get("/a", max_redirects=3).result()
            assert response.url.partition("#")[0] == server.url + path
            assert response.redirects == [f"{server.url}/a"]
            with client.stream("GET", "/a", max_redirects=3) as streamed:
                assert streamed.url.partition("#")[0] == server.url + path


# ---- the body's text

VALUE = {"name": "größe", "price": 101.5, "note": "😀"}
MARKED = {
    "utf-8": json.dumps(VALUE, ensure_ascii=False).encode("utf-8-sig"),
    "utf-16": json.dumps(VALUE, ensure_ascii=False).encode("utf-16"),
    "utf-16 big": b"\xfe\xff" + json.dumps(VALUE, ensure_ascii=False).encode("utf-16-be"),
    "utf-32": json.dumps(VALUE, ensure_ascii=False).encode("utf-32"),
    "utf-32 big": b"\0\0\xfe\xff" + json.dumps(VALUE, ensure_ascii=False).encode("utf-32-be"),
}


@pytest.mark.parametrize("mark", MARKED)
def test_json_with_a_byte_order_mark_is_read(mark: str) -> None:
    with FaultServer(ok(MARKED[mark])) as server, Client(server.url) as client:
        assert client.get("/").result().json() == VALUE
        with AsyncServiceAdapter("s", server.url) as adapter:
            assert adapter.call_get("/").result() == VALUE


@pytest.mark.parametrize("mark", MARKED)
def test_a_reason_behind_a_byte_order_mark_is_read(mark: str) -> None:
    encoding = "utf-8-sig" if mark == "utf-8" else mark.removesuffix(" big")
    begin = MARKED[mark][:4] if "32" in mark else MARKED[mark][:2]
    body = json.dumps({"detail": "größe 😀"}, ensure_ascii=False)
    sent = begin + body.encode(f"{encoding}-be") if "big" in mark else body.encode(encoding)
    answer = [f"HTTP/1.1 400 Bad\r\nContent-Length: {len(sent)}\r\n\r\n".encode(), sent]
    with (
        FaultServer(answer) as server,
        AsyncServiceAdapter("s", server.url) as adapter,
        pytest.raises(errors.StatusError, match="größe 😀"),
    ):
        adapter.call_get("/").result()


@pytest.mark.parametrize("broken", [b"\xff\xfe{", b"\xfe\xff\xd8\x00\x00{", b"\xff\xfe\0\0{\0\0"])
def test_half_a_unit_behind_a_mark_is_an_error(broken: bytes) -> None:
    with FaultServer(ok(broken)) as server:
        with (
            Client(server.url) as client,
            pytest.raises(errors.ProtocolError, match="not JSON"),
        ):
            client.get("/").result().json()
        with (
            AsyncServiceAdapter("s", server.url) as adapter,
            pytest.raises(errors.ProtocolError, match="not JSON"),
        ):
            adapter.call_get("/").result()


NO_CHARSETS = [
    *("hex", "base64", "bz2", "zip", "uu", "quopri", "rot13"),
    *("idna", "punycode", "undefined", "unicode_escape", "raw-unicode-escape"),
    *("mbcs", "oem", "nonsense", "", "\xe4", "aliases", "../x", "a" * 5000, "utf-8;x", "'", "0"),
]


@pytest.mark.parametrize("charset", NO_CHARSETS)
def test_a_charset_that_is_none_is_read_as_utf_8(charset: str) -> None:
    body = "größe \\d xn--".encode()
    answer = (
        f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nContent-Type: text/plain; charset={charset}\r\n\r\n"
    ).encode("latin-1") + body
    with FaultServer(answer) as server, Client(server.url) as client, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert client.get("/").result().text == body.decode()


def test_every_charset_that_python_knows_gives_text() -> None:
    body = bytes(range(256))
    for charset in sorted({*encodings.aliases.aliases, *encodings.aliases.aliases.values()}):
        fields = f"Content-Type: text/plain; charset={charset}\r\n"
        with FaultServer(ok(body, fields)) as server, Client(server.url) as client:
            assert isinstance(client.get("/").result().text, str)


def test_reading_text_is_done_on_the_loop_that_waits() -> None:
    with FaultServer(
        ok("größe".encode("cp1252"), 'Content-Type: text/plain; CHARSET="cp1252"\r\n')
    ) as server:

        async def main() -> str:
            async with Client(server.url) as client:
                return (await client.get("/")).text

        assert asyncio.run(main()) == "größe"
