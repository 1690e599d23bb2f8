"""A server of a test's own handler, on a thread beside the test."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Handler(BaseHTTPRequestHandler):
    """Reads and writes JSON, and logs nothing."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes: neither waits for the other's receipt.
    disable_nagle_algorithm = True

    def asked(self) -> Any:
        """Give the body of the request."""
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def reply(self, body: Any, status: int = 200) -> None:
        """Send a body as JSON."""
        self.head(content := json.dumps(body).encode(), status=status)
        self.wfile.write(content)

    def head(
        self, content: bytes, content_type: str = "application/json", status: int = 200
    ) -> None:
        """Send what comes before these bytes."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on a free port of this machine; gives the address."""
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
