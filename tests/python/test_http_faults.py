"""What goes wrong on the way, over plain connections and over TLS: one clear error, and the pool serves on."""

from __future__ import annotations

import asyncio
import copy
import datetime
import os
import pickle
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from http_service import Authority, Service
from ktrdr_core import CancellationToken, errors
from ktrdr_core.http import Client, RetryPolicy, Timeouts, TlsOptions
from ktrdr_core.testing import (
    CLOSE,
    CUT,
    HOLD,
    RESET,
    FaultRequest,
    FaultServer,
    Step,
    ok,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ONCE = RetryPolicy(attempts=1)


def test_one_connection_carries_many_requests(service: Service) -> None:
    large = os.urandom(3_000_000)

    def echo(request: FaultRequest) -> bytes:
        return ok(request.body or b"small")

    with service.serve(echo) as server, Client(server.url, tls=service.trust) as client:
        for _ in range(10):
            assert client.get("/x").result().text == "small"
        assert client.put("/x", content=large).result().content == large
        assert client.get("/x").result().text == "small"
        assert server.accepted == 1
    server.wait_until(lambda it: it.open_connections == 0)


def test_who_waits_for_a_connection_that_is_still_being_made_is_not_told_of_a_full_pool() -> None:
    limits = Timeouts(pool=0.1)
    with FaultServer([HOLD], read=False) as server:
        # What the server never answers is TLS's hello.
        url = server.url.replace("http:", "https:")
        with (
            Client(url, timeouts=limits, retry=ONCE) as client,
            pytest.raises(
                errors.PoolTimeoutError, match="0 are in use and 1 still being made"
            ) as one,
        ):
            client.get("/x").result()
        assert one.value.context["connecting"] == 1
        assert "raise the pool" not in str(one.value)
        with (
            Client(url, retry=ONCE) as client,
            pytest.raises(errors.PoolTimeoutError, match="is the service reachable"),
        ):
            client.get("/x", timeout=0.1).result()


def test_connections_made_ahead_stay_until_they_are_used(service: Service) -> None:
    async def main(client: Client) -> None:
        await client.warm_up(3)
        for _ in range(5):
            assert (await client.get("/x")).text == "x"
        assert client.stats()["connections_created"] == 3

    with service.serve(ok("x")) as server, Client(server.url, tls=service.trust) as client:
        asyncio.run(main(client))


def test_an_answer_without_a_length_ends_with_the_connection(service: Service) -> None:
    steps = [b"HTTP/1.1 200 OK\r\n\r\nall ", b"of it", CLOSE]
    with service.serve(steps) as server, Client(server.url, tls=service.trust) as client:
        assert client.get("/x").result().text == "all of it"


@pytest.mark.parametrize(
    ("steps", "error", "words"),
    [
        ([CLOSE], errors.ServiceConnectionError, "without a response"),
        ([RESET], errors.ServiceConnectionError, "reset"),
        ([b"HTTP/1.1 2", CLOSE], errors.ProtocolError, "inside its head"),
        ([ok("whole")[:-2], CLOSE], errors.ProtocolError, "inside its body"),
        ([b"SSH-2.0-OpenSSH\r\n\r\n"], errors.ProtocolError, "not HTTP/1.1"),
        ([HOLD], errors.ServiceTimeoutError, "no response within 50 ms"),
        ([ok("whole")[:-2], HOLD], errors.ServiceTimeoutError, "nothing more of the response"),
    ],
)
def test_a_fault_is_one_error_and_the_next_request_succeeds(
    service: Service, steps: list[Any], error: type[Exception], words: str
) -> None:
    broken = iter([steps])
    limits = Timeouts(first_byte=0.05, between_bytes=0.05)
    with (
        service.serve(lambda _: next(broken, ok("good"))) as server,
        Client(server.url, retry=ONCE, timeouts=limits, tls=service.trust) as client,
    ):
        with pytest.raises(error, match=words) as caught:
            client.get("/x").result()
        context = getattr(caught.value, "context", {})
        assert context["method"] == "GET"
        assert context["url"] == f"{server.url}/x"
        assert context["request_sent"] == "whole"
        assert len(context["attempts"]) == 1
        for _ in range(10):
            assert client.get("/x").result().text == "good"


def cancel_task(task: asyncio.Task[Any], token: CancellationToken) -> None:
    task.cancel()


def cancel_token(task: asyncio.Task[Any], token: CancellationToken) -> None:
    token.cancel("enough")


def cancel_from_a_thread(task: asyncio.Task[Any], token: CancellationToken) -> None:
    thread = threading.Thread(target=token.cancel, args=("enough",))
    thread.start()
    thread.join()


@pytest.mark.parametrize("cancel", [cancel_task, cancel_token, cancel_from_a_thread])
@pytest.mark.parametrize("before", [b"", ok("whole")[:-2]])
def test_a_cancel_closes_the_socket_and_the_pool_serves_on(
    service: Service,
    cancel: Callable[[asyncio.Task[Any], CancellationToken], None],
    before: bytes,
) -> None:
    def handler(request: FaultRequest) -> list[Any]:
        if request.target == "/slow":
            return [before, HOLD] if before else [HOLD]
        return [ok("good")]

    async def main(server: FaultServer, client: Client) -> None:
        token = CancellationToken()

        async def ask() -> None:
            await client.get("/slow", cancellation_token=token)

        task = asyncio.create_task(ask())
        await asyncio.to_thread(server.wait_until, lambda it: len(it.requests) == 1)
        cancel(task, token)
        with pytest.raises((asyncio.CancelledError, errors.OperationCancelledError)):
            await task
        await asyncio.to_thread(server.wait_until, lambda it: it.open_connections == 0)
        for _ in range(10):
            assert (await client.get("/fast")).text == "good"

    with service.serve(handler) as server, Client(server.url, tls=service.trust) as client:
        asyncio.run(main(server, client))
        assert client.stats()["active"] == 0
        assert server.accepted == 2


def test_an_address_of_ipv6_is_written_in_brackets() -> None:
    try:
        server = FaultServer(ok("six"), host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    with server, Client(server.url) as client:
        assert client.get("/x").result().text == "six"
        assert server.requests[0].headers["host"] == server.url.removeprefix("http://")


# ---- TLS alone


def test_an_answer_that_may_have_been_cut_short_is_none(authority: Authority) -> None:
    steps: list[Step] = [b"HTTP/1.1 200 OK\r\n\r\nperhaps all of it", CUT]
    with (
        FaultServer(steps, tls=authority.server("127.0.0.1")) as server,
        Client(server.url, tls=authority.trust, retry=ONCE) as client,
        pytest.raises(errors.ProtocolError, match="goodbye"),
    ):
        client.get("/x").result()


def expired(authority: Authority) -> ssl.SSLContext:
    return authority.server(
        "127.0.0.1", not_after=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda authority: authority.server("localhost"), "IP address mismatch"),
        (lambda authority: authority.server("127.0.0.2"), "IP address mismatch"),
        (expired, "certificate has expired"),
    ],
)
def test_a_certificate_that_is_not_right_is_refused_before_anything_is_sent(
    authority: Authority, make: Callable[[Authority], ssl.SSLContext], words: str
) -> None:
    with (
        FaultServer(ok("secret"), tls=make(authority)) as server,
        Client(server.url, tls=authority.trust) as client,
    ):
        with pytest.raises(errors.ServiceConnectionError, match=words) as caught:
            client.get("/x").result()
        assert caught.value.context["phase"] == "tls"
        assert caught.value.context["request_sent"] == "no"
        assert len(caught.value.context["attempts"]) == 1, "it would be refused again"
        assert server.requests == []


def test_nobody_is_trusted_who_is_signed_by_somebody_else(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path)
    with FaultServer(ok("x"), tls=stranger.server("127.0.0.1")) as server:
        for trust in (authority.trust, None):
            with (
                Client(server.url, tls=trust) as client,
                pytest.raises(errors.ServiceConnectionError, match=r"refused.*issuer certificate"),
            ):
                client.get("/x").result()
        with Client(server.url, tls=stranger.trust) as client:
            assert client.get("/x").result().text == "x"


def test_checking_can_be_switched_off_and_that_is_said(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        FaultServer(ok("x"), tls=authority.server("elsewhere")) as server,
        Client(server.url, tls=TlsOptions(verify=False)) as client,
    ):
        assert client.get("/x").result().text == "x"
    assert "tls.verify is false" in caplog.text


def test_a_name_is_checked_and_told_to_the_server(authority: Authority) -> None:
    with FaultServer(ok("x"), tls=authority.server("127.0.0.1", "elsewhere")) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        with (
            Client(url, tls=authority.trust) as client,
            pytest.raises(errors.ServiceConnectionError, match="hostname mismatch"),
        ):
            client.get("/x").result()
    told: list[str | None] = []
    context = authority.server("localhost")
    context.sni_callback = lambda _, name, __: told.append(name)
    with FaultServer(ok("x"), tls=context) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        with Client(url, tls=authority.trust) as client:
            assert client.get("/x").result().text == "x"
    assert told == ["localhost"]


def test_a_service_may_ask_for_the_client_s_certificate(authority: Authority) -> None:
    context = authority.server("127.0.0.1")
    authority.ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    certificate, key = authority.files("client")
    mine = TlsOptions(ca_file=authority.trust.ca_file, certificate_file=certificate, key_file=key)
    with FaultServer(ok("x"), tls=context) as server:
        with Client(server.url, tls=mine) as client:
            assert client.get("/x").result().text == "x"
        with (
            Client(server.url, tls=authority.trust, retry=ONCE) as client,
            pytest.raises(errors.ServiceConnectionError, match=r"certificate required|reset"),
        ):
            client.get("/x").result()


@pytest.mark.parametrize("kind", [os.fsdecode, os.fsencode, lambda name: Path(os.fsdecode(name))])
def test_files_of_certificates_may_have_names_that_are_no_utf8(
    authority: Authority, tmp_path: Path, kind: Any
) -> None:
    context = authority.server("127.0.0.1")
    authority.ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    certificate, key = authority.files("client")
    sources: dict[str, Any] = {
        "ca_file": authority.trust.ca_file,
        "certificate_file": certificate,
        "key_file": key,
    }
    given = {}
    for name, source in sources.items():
        odd = os.fsencode(tmp_path) + b"/caf\xe9 " + name.encode()
        Path(os.fsdecode(odd)).write_bytes(Path(os.fspath(source)).read_bytes())
        given[name] = kind(odd)
    mine = TlsOptions(**given)
    assert mine == copy.deepcopy(mine) == pickle.loads(pickle.dumps(mine))
    assert {name: os.fsencode(getattr(mine, name)) for name in given} == {
        name: os.fsencode(path) for name, path in given.items()
    }
    assert "caf\\udce9" in repr(mine)
    with FaultServer(ok("x"), tls=context) as server, Client(server.url, tls=mine) as client:
        assert client.get("/x").result().text == "x"
    missing = TlsOptions(ca_file=os.fsdecode(os.fsencode(tmp_path) + b"/no\xe9.pem"))
    with pytest.raises(errors.ConfigurationError, match="ca_file is"):
        Client(tls=missing)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("old", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(authority: Authority, old: ssl.TLSVersion) -> None:
    context = authority.server("127.0.0.1")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = old
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        FaultServer(ok("x"), tls=context) as server,
        Client(server.url, tls=authority.trust, retry=ONCE) as client,
    ):
        if old == ssl.TLSVersion.TLSv1_2:
            assert client.get("/x").result().text == "x"
            return
        with pytest.raises(errors.ServiceConnectionError, match=r"handshake failed.*version"):
            client.get("/x").result()


def test_a_handshake_that_stalls_ends_with_its_limit(authority: Authority) -> None:
    limits = Timeouts(tls=0.05)
    with (
        FaultServer(read=False) as server,
        Client(server.url.replace("http:", "https:"), timeouts=limits, retry=ONCE) as client,
    ):
        with pytest.raises(
            errors.ServiceTimeoutError, match="no TLS handshake within 50 ms"
        ) as caught:
            client.get("/x").result()
        assert caught.value.context["phase"] == "tls"


def test_a_server_that_speaks_no_tls_is_named(authority: Authority) -> None:
    with FaultServer(ok("x")) as server:
        secure = server.url.replace("http:", "https:")
        with (
            Client(secure, retry=ONCE, timeouts=Timeouts(tls=2)) as client,
            pytest.raises((errors.ServiceConnectionError, errors.ServiceTimeoutError)) as caught,
        ):
            client.get("/x").result()
    assert caught.value.context["phase"] == "tls"


def test_a_cancel_ends_a_handshake_too() -> None:
    async def main(server: FaultServer, client: Client) -> None:
        async def ask() -> None:
            await client.get("/x")

        task = asyncio.create_task(ask())
        await asyncio.to_thread(server.wait_until, lambda it: it.accepted == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with (
        FaultServer(read=False) as server,
        Client(server.url.replace("http:", "https:")) as client,
    ):
        asyncio.run(main(server, client))


def test_files_that_cannot_be_used_are_named_when_the_client_is_made(
    authority: Authority, tmp_path: Path
) -> None:
    certificate, key = authority.files("mine")
    other, _ = authority.files("other")
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"ca_file": tmp_path / "missing.pem"}, "ca_file is '.*missing.pem'"),
        ({"ca_file": text}, "ca_file is '.*text.pem'"),
        ({"certificate_file": text, "key_file": key}, "certificate_file"),
        ({"certificate_file": certificate, "key_file": text}, "key_file"),
        ({"certificate_file": other, "key_file": key}, "key_file"),
    ]
    for options, words in wrong:
        with pytest.raises(errors.ConfigurationError, match=words):
            Client(tls=TlsOptions(**options))
    with pytest.raises(errors.ConfigurationError, match=r"tls\.key_file is not set"):
        TlsOptions(certificate_file=certificate)
    with pytest.raises(errors.InvalidArgumentError, match="ca_file must be text or a path, not 5"):
        TlsOptions(ca_file=5)  # type: ignore[arg-type]
