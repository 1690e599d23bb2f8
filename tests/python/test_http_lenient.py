"""What docs/pitfalls/http.md says is taken and is refused of what services send; whole, and byte by byte."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from ktrdr_core import errors
from ktrdr_core.http import Client, RetryPolicy, Timeouts
from ktrdr_core.testing import FaultServer

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 5\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def packed(behind: bytes, *, wbits: int = 31, parts: int = 1) -> bytes:
    content = b""
    for part in (b"hello",) if parts == 1 else (b"he", b"llo"):
        packer = zlib.compressobj(wbits=wbits)
        content += packer.compress(part) + packer.flush()
    coding = b"gzip" if wbits == 31 else b"deflate"
    content += behind
    return (
        OK
        + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(content))
        + content
    )


TAKEN = {
    "a status line without its blank": b"HTTP/1.1 200\r\n" + LENGTH + b"\r\nhello",
    "an empty reason": b"HTTP/1.1 200 \r\n" + LENGTH + b"\r\nhello",
    "blanks behind a size": CHUNKED + b"5 \r\nhello\r\n0  \r\n\r\n",
    "blanks before a size": CHUNKED + b" 2\r\nhe\r\n\t3\r\nllo\r\n 0\r\n\r\n",
    "extensions and trailers": CHUNKED + b"5;a=b;c\r\nhello\r\n0 \r\nX: y\r\n\r\n",
    "the same length twice": OK + LENGTH + LENGTH + b"\r\nhello",
    "the same length in a list": OK + b"Content-Length: 5, 5\r\n\r\nhello",
    "zeros behind gzip": packed(bytes(512)),
    "rubbish behind gzip": packed(b"\x1fbehind"),
    "one byte behind gzip": packed(b"\x1f"),
    "rubbish behind deflate": packed(b"\x1f\x8bbehind", wbits=15),
    "rubbish behind deflate without its head": packed(b"behind", wbits=-15),
    "two files of gzip": packed(b"", parts=2),
    "two files of gzip and rubbish": packed(b"\0\x1f\x8b", parts=2),
    "a folded header": OK + LENGTH + b"X: a\r\n b\r\n\r\nhello",
    "Latin-1 in a header": OK + LENGTH + b"X: caf\xe9\r\n\r\nhello",
    "interim answers": b"HTTP/1.1 100\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    + OK
    + LENGTH
    + b"\r\nhello",
}
REFUSED = {
    "lengths that differ": OK + LENGTH + b"Content-Length: 6\r\n\r\nhello!",
    "lengths that differ in a list": OK + b"Content-Length: 5, 6\r\n\r\nhello!",
    "a length and chunks": OK
    + LENGTH
    + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "another coding": OK + b"Transfer-Encoding: identity\r\n\r\nhello",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "a size with a sign": CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n",
    "a size as Python writes it": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "two sizes": CHUNKED + b"5 5\r\nhello\r\n0\r\n\r\n",
    "lines that end with LF": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "a blank before the colon": OK + b"Content-Length : 5\r\n\r\nhello",
    "a blank line before it": b"\r\n" + OK + LENGTH + b"\r\nhello",
    "another version": b"HTTP/2 200\r\n" + LENGTH + b"\r\nhello",
    "half a file of gzip behind another": packed(b"\x1f\x8b\x08\0\0\0"),
    "another protocol": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
}


@pytest.mark.parametrize("cut", ["whole", "byte by byte"])
@pytest.mark.parametrize("answer", TAKEN.values(), ids=TAKEN.keys())
def test_what_can_be_read_in_one_way_is_taken(answer: bytes, cut: str) -> None:
    steps = [answer] if cut == "whole" else [bytes([byte]) for byte in answer]
    with FaultServer(steps) as server, Client(server.url) as client:
        response = client.get("/x").result()
        assert (response.status_code, response.content) == (200, b"hello")
        with client.stream("GET", "/x") as stream:
            assert stream.read() == b"hello"


@pytest.mark.parametrize("cut", ["whole", "byte by byte"])
@pytest.mark.parametrize("answer", REFUSED.values(), ids=REFUSED.keys())
def test_what_can_be_read_in_two_ways_is_refused(answer: bytes, cut: str) -> None:
    steps = [answer] if cut == "whole" else [bytes([byte]) for byte in answer]
    # Lines that end with LF and come in parts may never be a head: then the limit between bytes ends them.
    refusals = (errors.ProtocolError, errors.ServiceTimeoutError)
    options: dict[str, Any] = {
        "retry": RetryPolicy(attempts=1),
        "timeouts": Timeouts(between_bytes=1),
    }
    with FaultServer(steps) as server, Client(server.url, **options) as client:
        with pytest.raises(refusals if b"\r" not in answer else errors.ProtocolError):
            client.get("/x").result()
        server.wait_until(lambda it: it.open_connections == 0)
