"""Which requests the router and the host services take: host, origin, body, and how long they wait for it."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI

from ktrdr_core import OperationsService, errors
from ktrdr_core.display.shown import LONGEST
from ktrdr_core.fastapi import operations_router
from ktrdr_core.guard import BODY_TIMEOUT, MAX_BODY, RefusedRequest, RequestGuard, RequestRules
from ktrdr_core.hosts.child import HostProcess
from ktrdr_core.hosts.ib.app import create_app
from ktrdr_core.hosts.ib.replay import Replay
from ktrdr_core.hosts.patience import PatientProtocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

JSON = {"content-type": "application/json"}


def router_app(**options: Any) -> FastAPI:
    app = FastAPI()
    app.include_router(operations_router(OperationsService(), **options))
    return app


def host_app(**options: Any) -> FastAPI:
    return create_app(Replay({}, "nothing"), rules=RequestRules(**options))


# Each kind of server, a route that changes something, one that only reads, and the statuses that say "let in".
SERVERS = {
    "router": (router_app, "/operations/op_none/retry", "/operations", {404, 200}),
    "host service": (host_app, "/data/validate", "/health", {200}),
}
EVERY_SERVER = pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS)


def ask(app: FastAPI, test: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def main() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            await test(client)

    asyncio.run(main())


def reason_of(response: httpx.Response) -> str:
    answer = response.json()
    reason: str = answer["error"]["message"] if "error" in answer else answer["detail"]
    return reason


# ---- host

OURS = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost:8000",
    "a.localhost:1",
    "127.0.0.1",
    "127.8.9.1:65535",
    "[::1]",
    "[::1]:5001",
    "[::ffff:127.0.0.1]:80",
]
OTHERS = [
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example",
    "evillocalhost",
    "127.0.0.1.evil.example",
    "0.0.0.0",
    "10.0.0.1",
    "[::]",
    "[fe80::1]",
    "[2001:db8::1]:80",
    "2130706433",
    "0x7f.1",
    "localhost@evil.example",
    "localhost/evil.example",
    "localhost evil.example",
    "localhost, evil.example",
    "localhost:80:80",
    "localhost:http",
    "[::1",
    "::1",
    "",
    "l\xf6calhost",
]


@EVERY_SERVER
@pytest.mark.parametrize("host", OURS)
def test_a_request_by_a_name_of_this_machine_is_let_in(server: Any, host: str) -> None:
    make, write, read, fine = server

    async def test(client: httpx.AsyncClient) -> None:
        for method, path in (("GET", read), ("POST", write)):
            answer = await client.request(
                method, path, json={"symbol": "A"}, headers={"host": host, **JSON}
            )
            assert answer.status_code in fine, (method, answer.text)

    ask(make(), test)


@EVERY_SERVER
@pytest.mark.parametrize("host", OTHERS)
def test_a_request_by_another_name_is_refused_even_to_read(server: Any, host: str) -> None:
    make, write, read, _ = server

    async def test(client: httpx.AsyncClient) -> None:
        for method, path in (("GET", read), ("POST", write)):
            answer = await client.request(
                method,
                path,
                headers={b"host": host.encode("latin-1"), b"content-type": b"application/json"},
            )
            assert answer.status_code == 403, (method, answer.text)
            assert "Host" in reason_of(answer)
            assert "allowed_hosts" in reason_of(answer)

    ask(make(), test)


@EVERY_SERVER
def test_names_that_were_allowed_are_let_in_and_are_told_to_nobody(server: Any) -> None:
    make, _, read, _ = server

    async def test(client: httpx.AsyncClient) -> None:
        for host, status in (
            ("api.example", 200),
            ("API.example.:81", 200),
            ("a.b.inner.example", 200),
            ("[2001:db8::1]", 200),
            ("localhost", 200),
            ("inner.example", 403),
            ("xapi.example", 403),
        ):
            answer = await client.get(read, headers={"host": host})
            assert answer.status_code == status, host
            if status == 403:
                assert "*.inner" not in answer.text

    ask(make(allowed_hosts=["api.example", "*.inner.example", "2001:db8::1"]), test)

    async def anyone(client: httpx.AsyncClient) -> None:
        assert (await client.get(read, headers={"host": "who.ever"})).status_code == 200

    ask(make(allowed_hosts=["*"]), anyone)


def test_every_route_of_the_router_is_guarded() -> None:
    async def test(client: httpx.AsyncClient) -> None:
        for method, path in (
            ("GET", "/operations"),
            ("GET", "/operations/op_1"),
            ("DELETE", "/operations/op_1"),
            ("POST", "/operations/op_1/retry"),
            ("POST", "/operations/op_1/resume"),
            ("GET", "/operations/op_1/results"),
            ("GET", "/operations/op_1/metrics"),
            ("GET", "/operations/op_1/events"),
        ):
            answer = await client.request(method, path, headers={"host": "evil.example"})
            assert answer.status_code == 403, (method, path)
            assert answer.json()["error"]["code"] == "invalid_argument"
            if method != "GET":
                headers = {"origin": "https://evil.example"}
                answer = await client.request(method, path, headers=headers)
                assert answer.status_code == 403, (method, path)

    ask(router_app(), test)


# ---- origin


@EVERY_SERVER
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost:3000",
        "http://127.0.0.1:8000",
        "https://localhost:8000.evil.example",
        "null",
        "file://",
        "http://",
        "localhost:8000",
        "http://localhost:8000/",
        "http://localhost:8000@evil.example",
        "",
    ],
)
def test_a_page_of_another_site_changes_nothing(server: Any, origin: str) -> None:
    make, write, read, fine = server

    async def test(client: httpx.AsyncClient) -> None:
        headers = {"host": "localhost:8000", "origin": origin, **JSON}
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = await client.request(method, write, headers=headers)
            # A method that the route does not have may be refused for that.
            assert answer.status_code in {403, 405}, (method, answer.text)
        refused = await client.post(write, headers=headers, json={"symbol": "A"})
        assert refused.status_code == 403
        assert "allowed_origins" in reason_of(refused)
        # What it may read, the browser decides.
        assert (await client.get(read, headers=headers)).status_code in fine

    ask(make(), test)


@EVERY_SERVER
def test_a_page_of_the_server_itself_and_an_allowed_one_may_change_something(server: Any) -> None:
    make, write, _, fine = server

    async def test(client: httpx.AsyncClient) -> None:
        for host, origin in (
            ("localhost:8000", "http://localhost:8000"),
            ("localhost", "http://LOCALHOST"),
            ("localhost:80", "http://localhost"),
            ("localhost", "https://localhost"),
            ("[::1]:8000", "http://[::1]:8000"),
            ("localhost:8000", "https://app.example"),
            ("localhost:8000", "http://localhost:3000"),
        ):
            answer = await client.post(
                write, json={"symbol": "A"}, headers={"host": host, "origin": origin}
            )
            assert answer.status_code in fine, (host, origin, answer.text)
        for origins in (["https://evil.example"], ["https://app.example", "https://evil.example"]):
            both = [("origin", origin) for origin in origins]
            answer = await client.post(write, json={}, headers=[("host", "localhost"), *both])
            assert answer.status_code == 403

    ask(make(allowed_origins=["https://app.example:443", "http://localhost:3000"]), test)


# ---- body


@EVERY_SERVER
@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
        "application/jsonx",
        "application/json, text/plain",
        "",
        None,
    ],
)
def test_a_body_that_is_not_called_json_is_refused(server: Any, kind: str | None) -> None:
    make, write, _, _ = server

    async def test(client: httpx.AsyncClient) -> None:
        headers = {} if kind is None else {"content-type": kind}
        answer = await client.post(write, content=b'{"symbol": "A"}', headers=headers)
        assert answer.status_code == 415, answer.text
        assert "Content-Type: application/json" in reason_of(answer)

    ask(make(), test)


@EVERY_SERVER
@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/problem+json"]
)
def test_a_body_that_is_called_json_is_taken(server: Any, kind: str) -> None:
    make, write, _, fine = server

    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post(
            write, content=b'{"symbol": "A"}', headers={"content-type": kind}
        )
        assert answer.status_code in fine, answer.text

    ask(make(), test)


@EVERY_SERVER
def test_a_body_that_is_too_large_is_refused_told_or_not(server: Any) -> None:
    make, write, _, _ = server

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    async def test(client: httpx.AsyncClient) -> None:
        for content in (b" " * 2_000_000, pieces()):
            answer = await client.post(write, content=content, headers=JSON)
            assert answer.status_code == 413, answer.text
            assert "1048576 bytes" in reason_of(answer)

    ask(make(), test)


def messages(given: Iterable[dict[str, Any]]) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Give these, then nothing ever more."""
    waiting = list(given)

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    return receive


def scope_of(**changes: Any) -> dict[str, Any]:
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    return {"type": "http", "method": "POST", "headers": headers, **changes}


def test_a_body_that_stops_half_way_is_ended() -> None:
    async def test() -> None:
        half = [{"type": "http.request", "body": b"{", "more_body": True}]
        with pytest.raises(RefusedRequest, match=r"within 0\.01 s") as refused:
            await RequestRules(body_timeout=0.01).admit(scope_of(), messages(half))
        assert refused.value.status == 408

    asyncio.run(test())


def test_a_client_that_goes_in_the_middle_of_a_body_is_told_of() -> None:
    async def test() -> None:
        gone: list[dict[str, Any]] = [
            {"type": "http.request", "body": b"{", "more_body": True},
            {"type": "http.disconnect"},
        ]
        receive = await RequestRules().admit(scope_of(), messages(gone))
        assert await receive() == {"type": "http.disconnect"}

    asyncio.run(test())


def test_what_came_is_given_again_and_then_what_comes() -> None:
    async def test() -> None:
        came: list[dict[str, Any]] = [
            {"type": "http.request", "body": b"{", "more_body": True},
            {"type": "http.request", "body": b"}"},
            {"type": "http.disconnect"},
        ]
        receive = await RequestRules().admit(scope_of(), messages(came))
        assert await receive() == {"type": "http.request", "body": b"{}", "more_body": False}
        assert await receive() == {"type": "http.disconnect"}

    asyncio.run(test())


# ---- beside HTTP


def test_a_websocket_is_asked_for_host_and_origin_too() -> None:
    async def told(*headers: tuple[bytes, bytes]) -> list[str]:
        said: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            said.append("let in")

        async def send(message: Any) -> None:
            said.append(message["type"])

        await RequestGuard(app)({"type": "websocket", "headers": headers}, messages([]), send)
        return said

    async def test() -> None:
        here, there = (b"host", b"localhost"), (b"host", b"evil.example")
        assert await told(here) == ["let in"]
        assert await told(here, (b"origin", b"http://localhost")) == ["let in"]
        assert await told(there) == ["websocket.close"]
        assert await told(here, (b"origin", b"https://evil.example")) == ["websocket.close"]

    asyncio.run(test())


def test_the_start_and_end_of_an_app_pass() -> None:
    async def test() -> None:
        passed: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            passed.append(scope["type"])

        await RequestGuard(app)({"type": "lifespan"}, messages([]), messages([]))  # type: ignore[arg-type]
        assert passed == ["lifespan"]

    asyncio.run(test())


# ---- options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"allowed_hosts": ["http://a.example"]}, "without scheme and port"),
        ({"allowed_hosts": ["a.example:80"]}, "without scheme and port"),
        ({"allowed_hosts": ["a.*"]}, "allowed_hosts"),
        ({"allowed_hosts": [""]}, "allowed_hosts"),
        ({"allowed_hosts": [7]}, "allowed_hosts"),
        ({"allowed_hosts": "a.example"}, "a list of names"),
        ({"allowed_origins": ["app.example"]}, "allowed_origins"),
        ({"allowed_origins": ["https://app.example/"]}, "allowed_origins"),
        ({"allowed_origins": [None]}, "allowed_origins"),
        ({"allowed_origins": "https://app.example"}, "a list of names"),
    ],
)
def test_what_is_no_name_or_origin_is_refused_where_it_is_given(
    options: dict[str, Any], words: str
) -> None:
    for make in (RequestRules, operations_router):
        with pytest.raises(errors.InvalidArgumentError, match=words):
            make(**options)


@pytest.mark.parametrize("options", [{"max_body": 0}, {"body_timeout": 0}, {"body_timeout": -1}])
def test_limits_are_positive(options: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=next(iter(options))):
        RequestRules(**options)


# ---- over a socket


def test_the_replay_service_refuses_what_a_page_could_send() -> None:
    with HostProcess(delay=0) as host, httpx.Client(base_url=host.url) as client:
        for headers, status in (
            ({"host": "evil.example"}, 403),
            ({"origin": "https://evil.example", **JSON}, 403),
            ({"content-type": "text/plain"}, 415),
        ):
            answer = client.post("/data/validate", content=b'{"symbol": "AAPL"}', headers=headers)
            assert answer.status_code == status, answer.text
        assert host.stats()["total_requests"] == 0
        assert client.post("/data/validate", json={"symbol": "AAPL"}).json()["is_valid"]


def test_a_request_without_a_host_is_refused() -> None:
    with HostProcess(delay=0) as host:
        address = ("127.0.0.1", int(host.url.rpartition(":")[2]))
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert "missing" in json.loads(answer.partition(b"\r\n\r\n")[2])["detail"]


# ---- the page


def test_the_page_on_security_has_the_limits() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "guide" / "security.md").read_text()
    text = (root / "cpp" / "base" / "include" / "ktrdr" / "base" / "text.hpp").read_text()
    operation = (root / "cpp" / "operations" / "src" / "operation.cpp").read_text()
    kept = dict(re.findall(r"constexpr std::size_t (\w+) = ([\d *]+);", text + operation))
    for limit in (
        f"{PatientProtocol.request_timeout:g} s, {MAX_BODY >> 20} MiB in {BODY_TIMEOUT:g} s",
        f"{LONGEST:,} characters a line",
        f"{int(kept['longest_text'].split(' * ')[0])} KiB |",
        f"{kept['longest_name']} bytes",
        f"{int(kept['most_facts'].split(' * ')[0])} KiB in all",
        f"{kept['most_warnings']}; the rest",
    ):
        assert limit in page, limit
