"""Files in a form: what is on the wire, how it is read from disk, and what happens when that goes wrong."""

from __future__ import annotations

import asyncio
import email
import email.policy
import gzip
import hashlib
import io
import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import soak
from held import descriptors, resident
from ktrdr_core import CancellationToken, errors
from ktrdr_core.http import Client, RetryPolicy, Timeouts
from ktrdr_core.testing import HOLD, FaultRequest, FaultServer, ok, status
from sink import Sink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from http_service import Service

ONCE = RetryPolicy(attempts=1)
SLICE = 128 * 1024


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(ok("{}")) as one:
        yield one


@pytest.fixture
def client(server: FaultServer) -> Iterator[Client]:
    with Client(server.url, retry=ONCE) as one:
        yield one


def parts_of(request: FaultRequest) -> list[tuple[str, bytes]]:
    """Cut at the boundary and nothing else: each part's head, and its content."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    first, *parts = (b"\r\n" + request.body).split(b"\r\n--" + boundary)
    assert (first, parts.pop()) == (b"", b"--\r\n")
    cut = [part.removeprefix(b"\r\n").partition(b"\r\n\r\n") for part in parts]
    return [(head.decode(), content) for head, _, content in cut]


# ---- on the wire


def test_a_form_with_files_is_the_one_that_httpx_sends(
    client: Client, server: FaultServer, tmp_path: Path
) -> None:
    report = tmp_path / "réport 1.csv"
    report.write_bytes(b"a,b\r\n1,2")
    (tmp_path / "x.bin").write_bytes(bytes(range(256)))
    with open(report, "rb") as one, open(tmp_path / "x.bin", "rb") as two:
        forms: list[tuple[Any, Any]] = [
            ({}, {"file": one}),
            ({"a": "1", "list": ["x", "y"], "n": 5}, {"file": ("new.txt", b"text", "text/mine")}),
            ({}, [("files", one), ("files", two), ("other", ("n", "größe"))]),
            ({}, {"field": (None, "no file"), "page": (None, b"[]", "application/json")}),
            ({"empty": ""}, {"nothing": ("nothing", b"")}),
            ({}, {"memory": io.BytesIO(b"bytes")}),
        ]
        for data, files in forms:
            client.post("/up", data=data, files=files).result()
            ours = server.requests[-1]
            own = {"Content-Type": ours.headers["content-type"]}
            theirs = httpx.Request("POST", server.url, data=data, files=files, headers=own)
            assert ours.body == theirs.read()
            assert int(ours.headers["content-length"]) == len(ours.body)
    boundaries = {request.headers["content-type"] for request in server.requests}
    assert len(boundaries) == len(forms)


def test_what_is_given_may_be_a_path_a_buffer_a_temporary_file_or_several_of_one_name(
    client: Client, server: FaultServer, tmp_path: Path
) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(b"on disk")
    with (
        tempfile.TemporaryFile() as unnamed,
        tempfile.NamedTemporaryFile(suffix=".json") as named,
        tempfile.SpooledTemporaryFile() as spooled,
        open(path, "rb", buffering=0) as raw,
    ):
        for written in (unnamed, named, spooled):
            written.write(b"written and not rewound")
        files: list[Any] = [
            path,
            bytearray(b"array"),
            memoryview(b"view"),
            unnamed,
            named,
            spooled,
            raw,
        ]
        client.put("/", files={"f": files}).result()
        with client.stream("POST", "/", files={"f": path}) as response:
            response.read()
    heads, contents = zip(*parts_of(server.requests[0]), strict=True)
    assert contents == (
        b"on disk",
        b"array",
        b"view",
        *[b"written and not rewound"] * 3,
        b"on disk",
    )
    assert all(head.startswith('Content-Disposition: form-data; name="f"; ') for head in heads)
    assert 'filename="prices.csv"\r\nContent-Type: text/csv' in heads[0]
    assert 'filename="upload"\r\nContent-Type: application/octet-stream' in heads[1]
    assert f'filename="{os.path.basename(named.name)}"' in heads[4]
    assert parts_of(server.requests[1])[0][1] == b"on disk"


def as_browsers_write(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


NAMES = st.text(
    st.one_of(
        st.sampled_from('"\r\n%\\;=äß日😀\t\x1b\x7f\u2028'),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=12,
).map(lambda text: text.replace("\0", ""))


@settings(max_examples=soak.count(40, 2000), deadline=None)
@given(name=NAMES, filename=NAMES, content=st.binary(max_size=40), field=st.text(max_size=9))
def test_no_name_can_end_its_quotes_or_its_line(
    name: str, filename: str, content: bytes, field: str
) -> None:
    field = field.encode("utf-8", "replace").decode()
    with FaultServer(ok("{}")) as server, Client(server.url) as client:
        client.post("/", data={"d": field}, files={name: (filename, content, "a/b")}).result()
    (request,) = server.requests
    (_, first), (head, second) = parts_of(request)
    assert (first, second) == (field.encode(), content)
    whole = name.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    assert head == (
        f'Content-Disposition: form-data; name="{as_browsers_write(whole)}"; '
        f'filename="{as_browsers_write(filename)}"\r\nContent-Type: a/b'
    )


@settings(max_examples=soak.count(15, 300), deadline=None)
@given(
    names=st.lists(st.text('abü "\r\n=', min_size=1, max_size=8), min_size=1, max_size=4),
    content=st.binary(max_size=300),
)
def test_other_readers_find_the_same_parts(names: list[str], content: bytes) -> None:
    rows = [(name, (f"{name}.bin", content + name.encode(), "a/b")) for name in names]
    with FaultServer(ok("{}")) as server, Client(server.url) as client:
        client.post("/", files=rows).result()
    (request,) = server.requests
    expected = [
        (as_browsers_write(f"{name}.bin").strip(), content + name.encode()) for name in names
    ]
    kind = request.headers["content-type"]
    message = email.message_from_bytes(
        f"Content-Type: {kind}\r\n\r\n".encode() + request.body, policy=email.policy.HTTP
    )
    found = [
        (
            part.get_filename("").encode("utf-8", "surrogateescape").decode(),
            part.get_payload(decode=True),
        )
        for part in message.iter_parts()
    ]
    assert found == expected

    async def read() -> list[tuple[str | None, bytes]]:
        stream = aiohttp.StreamReader(a_protocol(), 2**20, loop=asyncio.get_running_loop())
        stream.feed_data(request.body)
        stream.feed_eof()
        reader = aiohttp.MultipartReader({"Content-Type": kind}, stream)
        parts = []
        while (part := await reader.next()) is not None:
            assert isinstance(part, aiohttp.BodyPartReader)
            parts.append((part.filename, bytes(await part.read())))
        return parts

    assert [body for _, body in asyncio.run(read())] == [body for _, body in expected]


def a_protocol() -> Any:
    from unittest import mock

    return mock.Mock(_reading_paused=False)


def test_the_callers_own_boundary_is_used_and_a_clients_content_type_is_not_meant_for_a_form(
    server: FaultServer,
) -> None:
    with Client(server.url, headers={"content-type": "application/json"}) as client:
        client.post("/", files={"f": b"x"}).result()
        for own in (
            'multipart/form-data; boundary="my own"',
            "multipart/mixed;x=y; BOUNDARY=my-own ;z=1",
        ):
            client.post("/", files={"f": b"x"}, headers={"content-TYPE": own}).result()
            request = server.requests[-1]
            assert request.headers["content-type"] == own.strip()
            assert request.body.startswith((b"--my own\r\n", b"--my-own\r\n"))
            assert [name.lower() for name, _ in request.fields].count("content-type") == 1
    assert server.requests[0].headers["content-type"].startswith("multipart/form-data; boundary=")


# ---- what cannot be sent


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"files": {"f": b""}, "json": 1}, "json and files are both the body"),
        ({"files": {"f": b""}, "content": b""}, "content and files are both the body"),
        ({"files": b"x"}, "must be a mapping or a list of pairs, not bytes"),
        ({"files": ""}, "must be a mapping or a list of pairs, not str"),
        ({"files": 5}, "must be a mapping or a list of pairs, not 5"),
        ({"files": [b"x"]}, "must hold pairs"),
        ({"files": {5: b"x"}}, "must hold pairs"),
        ({"files": {"f": None}}, "'f' is of type NoneType.*give its bytes, a path"),
        ({"files": {"f": 5}}, "'f' is of type int"),
        ({"files": {"f": (1, 2, 3, 4)}}, r"'f' must be \(name, content\)"),
        ({"files": {"f": (1, b"x")}}, "the name of 'f' must be str or None, not 1"),
        ({"files": {"f": ("n", b"x", 5)}}, "the content type of 'f' must be"),
        ({"files": {"f": io.StringIO("x")}}, 'open as text; open it with "rb"'),
        ({"files": {"f": gzip.GzipFile(fileobj=io.BytesIO(), mode="w")}}, "of type GzipFile"),
        ({"files": {"f": iter([b"x"])}}, "no file on the disk"),
        ({"files": {"f": ("n", b"x", "a/b\r\nX-Evil: 1")}}, "content type holds a line break"),
        ({"files": {"f\0": b"x"}}, "a name holds a NUL"),
        ({"files": {"f": ("n\0", b"x")}}, "a name holds a NUL"),
        (
            {"files": {"f": b"x"}, "headers": {"Content-Type": "multipart/form-data"}},
            "names no boundary",
        ),
        (
            {"files": {"f": b"x"}, "headers": {"Content-Type": "a/b; boundary=" + "x" * 71}},
            "71 characters",
        ),
        ({"files": {"f": b"x"}, "headers": {"Content-Type": "a/b; boundary=ü"}}, "RFC 2046"),
    ],
)
def test_what_cannot_be_sent_is_named_before_anything_is(
    client: Client, server: FaultServer, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=words):
        client.post("/", **options)
    assert server.accepted == 0


def test_half_a_surrogate_pair_is_no_name(client: Client) -> None:
    rows: list[Any] = [{"\ud83d": b"x"}, {"f": ("\ud83d", b"x")}, {"f": ("n", b"x", "\ud83d")}]
    for files in rows:
        with pytest.raises(errors.InvalidArgumentError, match="surrogate"):
            client.post("/", files=files)


def test_a_name_on_disk_that_is_not_utf8_is_sent_as_far_as_it_is(
    client: Client, server: FaultServer, tmp_path: Path
) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv"))
    odd.write_bytes(b"x")
    with open(odd, "rb") as one:
        client.post("/", files={"path": odd, "open": one}).result()
    for head, content in parts_of(server.requests[0]):
        assert ('filename="caf\ufffd.csv"' in head, content) == (True, b"x")


def test_a_file_that_cannot_be_read_is_told_when_the_request_is_made(
    client: Client, server: FaultServer, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    locked = tmp_path / "locked"
    locked.write_bytes(b"x")
    locked.chmod(0)
    refused: list[tuple[Any, str]] = [
        (tmp_path / "missing", "No such file"),
        (tmp_path, "no plain file"),
        (tmp_path / "fifo", "no plain file"),
        (Path("/dev/zero"), "no plain file"),
    ]
    if os.getuid() != 0:
        refused.append((locked, "Permission denied"))
    for path, words in refused:
        with pytest.raises(errors.StorageError, match=words) as caught:
            client.post("/", files={"f": path})
        assert caught.value.context["path"] == str(path)
    with open(tmp_path / "w", "wb", buffering=0) as writing:
        with pytest.raises(errors.StorageError, match="for writing only"):
            client.post("/", files={"f": writing})
    read, write = os.pipe()
    with os.fdopen(read, "rb") as pipe, os.fdopen(write, "wb"):
        with pytest.raises(errors.StorageError, match=r"no plain file.*send its bytes"):
            client.post("/", files={"f": pipe})
    with open(tmp_path / "w", "rb") as closed:
        pass
    with pytest.raises(errors.InvalidArgumentError, match="closed file"):
        client.post("/", files={"f": closed})
    assert server.accepted == 0


# ---- read from disk


def large(folder: Path, size: int) -> tuple[Path, str]:
    """A file of that size with nothing twice in it that matters, and the digest of its content."""
    path = folder / "large.bin"
    digest = hashlib.sha256()
    block = os.urandom(1 << 20)
    with open(path, "wb") as file:
        for start in range(0, size, len(block)):
            piece = block[: min(len(block), size - start)]
            file.write(piece)
            digest.update(piece)
    return path, digest.hexdigest()


def test_memory_does_not_grow_with_a_file(tmp_path: Path) -> None:
    size = soak.count(100, 1000) * 1_000_000
    path = tmp_path / "sparse.bin"
    with open(path, "wb") as file:
        file.truncate(size)
    with Sink() as sink, Client(sink.url, timeouts=Timeouts(total=600)) as client:
        client.post("/", files={"f": b"warm"}).result()
        before = resident()
        most = 0

        async def main() -> None:
            nonlocal most
            call = asyncio.create_task(client.post("/", files={"f": path}))
            while not call.done():
                most = max(most, resident())
                await asyncio.sleep(0.005)
            await call

        asyncio.run(main())
    assert sink.received[1].whole
    assert sink.received[1].length > size
    assert most - before < 16_000_000


@pytest.mark.parametrize("size", [0, 1, SLICE - 1, SLICE, SLICE + 1, 2 * SLICE, 5_000_000], ids=str)
def test_a_file_comes_whole_whatever_its_size(service: Service, tmp_path: Path, size: int) -> None:
    path, _ = large(tmp_path, size)
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
    before = descriptors()
    waiting = [client.post("/", files={"f": path}) for _ in range(200)]
    assert descriptors() == before

    async def main() -> None:
        await asyncio.gather(*waiting)

    asyncio.run(main())
    assert len(server.requests) == 202


# ---- again from the start


def test_a_retry_and_a_redirect_send_a_file_again_from_its_start(
    server: FaultServer, tmp_path: Path
) -> None:
    path, _ = large(tmp_path, 3 * SLICE)
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
    path, _ = large(tmp_path, 20_000_000)
    going = iter([False])
    policy = RetryPolicy(attempts=2, first_pause=0)
    with Sink(lambda: next(going, True)) as sink, Client(sink.url, retry=policy) as client:
        client.put("/", files={"f": path}).result()
    broken, whole = sink.received
    assert (broken.whole, whole.whole) == (False, True)


def test_a_service_that_has_enough_is_heard_before_the_body_is_sent(tmp_path: Path) -> None:
    path, _ = large(tmp_path, 50_000_000)
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
        path, _ = large(tmp_path, 30_000_000)

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
    path, _ = large(tmp_path, 60_000_000)
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
    for _ in range(10_000):
        if not any(
            os.path.realpath(f"/proc/self/fd/{fd}") == str(path)
            for fd in os.listdir("/proc/self/fd")
        ):
            return
        threading.Event().wait(0.001)
    raise AssertionError(f"{path} is still open")


def test_a_limit_in_the_middle_ends_it(tmp_path: Path) -> None:
    path, _ = large(tmp_path, 60_000_000)
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
