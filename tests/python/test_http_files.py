"""Files in a form: what is on the wire, and what cannot be."""

from __future__ import annotations

import asyncio
import email
import email.policy
import gzip
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import soak
from ktrdr_core import errors
from ktrdr_core.http import Client
from ktrdr_core.testing import FaultServer, ok
from sink import parts_of

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
