"""Files that are read from disk while they are sent: in whole, again, not at all, and when something goes wrong."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import held
import soak
from ktrdr_core import CancellationToken, _core, errors
from ktrdr_core.http import Client, RetryPolicy, Timeouts
from ktrdr_core.testing import HOLD, FaultServer, ok, status
from sink import Sink, parts_of

if TYPE_CHECKING:
    from http_service import Service

ONCE = RetryPolicy(attempts=1)
SLICE = 128 * 1024


# ---- read from disk


def large(folder: Path, size: int) -> Path:
    """A file of that size."""
    path = folder / "large.bin"
    block = os.urandom(1 << 20)
    with open(path, "wb") as file:
        for start in range(0, size, len(block)):
            piece = block[: min(len(block), size - start)]
            file.write(piece)
    return path


def test_memory_does_not_grow_with_a_file(tmp_path: Path) -> None:
    size = soak.count(100, 1000) * 1_000_000
    path = tmp_path / "sparse.bin"
    with open(path, "wb") as file:
        file.truncate(size)
    with Sink() as sink, Client(sink.url, timeouts=Timeouts(total=600)) as client:
        client.post("/", files={"f": b"warm"}).result()
        before = held.resident()
        most = 0

        async def main() -> None:
            nonlocal most
            call = asyncio.create_task(client.post("/", files={"f": path}))
            while not call.done():
                most = max(most, held.resident())
                await asyncio.sleep(0.005)
            await call

        asyncio.run(main())
    assert sink.received[1].whole
    assert sink.received[1].length > size
    assert most - before < 16_000_000


@pytest.mark.parametrize("size", [0, 1, SLICE - 1, SLICE, SLICE + 1, 2 * SLICE, 5_000_000], ids=str)
def test_a_file_comes_whole_whatever_its_size(service: Service, tmp_path: Path, size: int) -> None:
    path = large(tmp_path, size)
    with (
        service.serve(ok("{}")) as server,
        Client(server.url, tls=service.trust) as client,
        open(path, "rb") as opened,
    ):
        opened.seek(size // 2)
        for _ in range(2):
            client.post("/", files=[("a", path), ("b", opened), ("c", b"end")]).result()
        assert opened.tell() == size // 2
        content = path.read_bytes()
        for request in server.requests:
            assert [body for _, body in parts_of(request)] == [content, content, b"end"]
        assert server.accepted == 1


def test_the_callers_file_may_be_closed_once_the_request_is_made_and_many_cost_no_descriptors(
    client: Client, server: FaultServer, tmp_path: Path
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"content")
    with open(path, "rb") as opened:
        call = client.post("/", files={"f": opened})
    call.result()
    call.result()
    assert [parts_of(request)[0][1] for request in server.requests] == [b"content"] * 2
    del call
    before = held.descriptors()
    waiting = [client.post("/", files={"f": path}) for _ in range(200)]
    assert held.descriptors() == before

    async def main() -> None:
        await asyncio.gather(*waiting)

    asyncio.run(main())
    assert len(server.requests) == 202


# ---- again from the start


def test_a_retry_and_a_redirect_send_a_file_again_from_its_start(
    server: FaultServer, tmp_path: Path
) -> None:
    path = large(tmp_path, 3 * SLICE)
    answers = iter(
        [
            status(503, "", "Retry-After: 0\r\n"),
            status(307, "", "Location: /there\r\n"),
            status(308, "", "Location: /on\r\n"),
            status(303, "", "Location: /seen\r\n"),
        ]
    )
    server.handler = lambda request: next(answers, ok("{}"))
    policy = RetryPolicy(attempts=2, first_pause=0, busy_pause=0)
    with Client(server.url, retry=policy) as client, open(path, "rb") as opened:
        files: list[tuple[str, Any]] = [("a", path), ("b", opened)]
        answer = client.post("/", files=files, idempotent=True, max_redirects=4).result()
    assert answer.status_code == 200
    *sent, last = server.requests
    assert [request.target for request in sent] == ["/", "/", "/there", "/on"]
    content = path.read_bytes()
    for request in sent:
        assert [body for _, body in parts_of(request)] == [content, content]
    assert (last.method, last.target, last.body) == ("GET", "/seen", b"")
    assert "content-type" not in last.headers


def test_a_connection_that_breaks_in_the_middle_is_another_attempt(tmp_path: Path) -> None:
    path = large(tmp_path, 20_000_000)
    going = iter([False])
    policy = RetryPolicy(attempts=2, first_pause=0)
    with Sink(lambda: next(going, True)) as sink, Client(sink.url, retry=policy) as client:
        client.put("/", files={"f": path}).result()
    broken, whole = sink.received
    assert (broken.whole, whole.whole) == (False, True)


def test_a_service_that_has_enough_is_heard_before_the_body_is_sent(tmp_path: Path) -> None:
    path = large(tmp_path, 50_000_000)
    said = status(413, '{"detail": "too large"}', "Content-Type: application/json\r\n")
    with FaultServer([said, HOLD], read_bytes=1000) as server:
        with Client(server.url, retry=ONCE) as client:
            answer = client.post("/", files={"f": path}).result()
            assert (answer.status_code, answer.json()) == (413, {"detail": "too large"})
            assert client.stats()["open"] == 0
            server.release()
            server.wait_until(lambda s: s.open_connections == 0)
            wait_for_no_descriptor_of(path)


# ---- what goes wrong in the middle


def test_a_file_that_changes_while_it_is_sent_is_an_error_and_no_whole_request(
    tmp_path: Path,
) -> None:
    def shrink() -> None:
        os.truncate(path, 1_000_000)

    def grow() -> None:
        with open(path, "ab") as file:
            file.write(b"more")

    for change, words in [(shrink, "it ended after"), (grow, "it has more than")]:
        path = large(tmp_path, 30_000_000)

        def middle(change: Any = change) -> bool:
            change()
            return True

        with Sink(middle) as sink, Client(sink.url, retry=RetryPolicy(attempts=3)) as client:
            with pytest.raises(errors.StorageError, match=words) as caught:
                client.put("/", files={"f": path}).result()
            assert caught.value.context["request_sent"] == "partly"
            assert str(path) in str(caught.value)
            assert client.stats()["open"] == 0
            client.put("/", files={"f": b"after"}).result()
        assert [request.whole for request in sink.received] == [False, True]


def test_a_file_that_has_changed_or_gone_before_it_is_sent_is_an_error(
    server: FaultServer, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    with open(path, "rb") as opened:
        calls = [client.post("/", files={"f": it}) for it in (path, opened)]
    path.write_bytes(b"1234567")
    for call in calls:
        with pytest.raises(
            errors.StorageError, match="5 bytes when the request was made, and has 7"
        ):
            call.result()
    path.unlink()
    with pytest.raises(errors.StorageError, match="No such file"):
        calls[0].result()
    assert server.requests == []


def test_a_file_of_the_kernel_whose_size_is_not_known_is_refused_and_not_sent_empty(
    server: FaultServer, client: Client
) -> None:
    with pytest.raises(errors.StorageError, match="more than the 0 bytes"):
        client.post("/", files={"f": Path("/proc/self/status")}).result()
    assert server.requests == []


def test_a_cancel_in_the_middle_stops_at_once_and_closes_the_file(tmp_path: Path) -> None:
    path = large(tmp_path, 60_000_000)
    reached, go_on = threading.Event(), threading.Event()

    def middle() -> bool:
        reached.set()
        return go_on.wait(20) and False

    async def by_task(client: Client) -> None:
        call = asyncio.create_task(client.post("/", files={"f": path}))
        await asyncio.to_thread(reached.wait, 20)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    async def by_token(client: Client) -> None:
        token = CancellationToken()
        call = asyncio.create_task(client.post("/", files={"f": path}, cancellation_token=token))
        await asyncio.to_thread(reached.wait, 20)
        token.cancel("enough")
        with pytest.raises(errors.OperationCancelledError) as caught:
            await call
        assert caught.value.context["request_sent"] == "partly"

    for way in (by_task, by_token):
        reached.clear()
        go_on.clear()
        with Sink(middle) as sink, Client(sink.url, retry=ONCE) as client:
            asyncio.run(way(client))
            wait_for_no_descriptor_of(path)
            assert client.stats()["active"] == 0
            go_on.set()


def wait_for_no_descriptor_of(path: Path) -> None:
    """What reads has a slice in hand yet."""
    assert not _core.wait_for_live({**_core.live_objects(), "Descriptor": 0}, held.limit)
    still_open = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    assert str(path) not in still_open


def test_a_limit_in_the_middle_ends_it(tmp_path: Path) -> None:
    path = large(tmp_path, 60_000_000)
    go_on = threading.Event()
    with Sink(lambda: go_on.wait(20) and False) as sink:
        given: list[dict[str, Any]] = [{"timeout": 0.2}, {}]
        for options in given:
            limits = Timeouts(write=0.2)
            with Client(sink.url, retry=ONCE, timeouts=limits) as client:
                with pytest.raises(errors.ServiceTimeoutError) as caught:
                    client.post("/", files={"f": path}, **options).result()
                assert caught.value.context["request_sent"] == "partly"
        go_on.set()
