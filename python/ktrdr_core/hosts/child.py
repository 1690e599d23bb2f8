"""A host service as a child process."""

from __future__ import annotations

import json
import os
import select
import subprocess  # nosec B404
import sys
import time
import urllib.request
from typing import Any

from ..errors import HostServiceError

# Seconds.
_START_LIMIT = 60.0
_STOP_LIMIT = 0.5
_ASK_LIMIT = 60.0


class HostProcess:
    """The replay IB host service on a free port of this machine, as a child of this process.

    It ends with this process, however that ends, and is out of reach of the terminal's Ctrl-C.

    Parameters
    ----------
    delay : float
        Seconds each answer with bars takes.
    gate : bool
        Hold the requests for bars until ``release``; for tests.

    Raises
    ------
    HostServiceError
        When it does not start; its own words are on standard error.

    Examples
    --------
    >>> from ktrdr_core.hosts.child import HostProcess
    >>> with HostProcess(delay=0.0) as host:
    ...     print(host.url)
    http://127.0.0.1:...
    """

    def __init__(self, *, delay: float = 0.15, gate: bool = False) -> None:
        command = [sys.executable, "-m", "ktrdr_core.hosts.ib", "--port", "0"]
        command += ["--delay", str(delay), "--until-stdin-closes"]
        command += ["--gate"] if gate else []
        # A session of its own: the terminal sends Ctrl-C to the whole foreground group.
        self._process = subprocess.Popen(  # nosec B603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        try:
            self.url = self._announced()
        except BaseException:
            self._process.kill()
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def _announced(self) -> str:
        if self._process.stdout is None:
            raise RuntimeError("the child's output is not a pipe")
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + _START_LIMIT
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise HostServiceError(
                    f"the IB host service did not start within {_START_LIMIT:.0f} s"
                )
            chunk = os.read(descriptor, 4096)
            if not chunk:
                raise HostServiceError("the IB host service ended before it could be reached")
            line += chunk
        return line.decode().split()[-1]

    def stats(self) -> dict[str, Any]:
        """Ask for what it saw: ``/health/detailed``, which does not count itself among the requests."""
        return self._ask("/health/detailed")

    def wait(self, *, held: int = 0, cancelled: int = 0) -> None:
        """Block until so many requests are held, and clients have given up so many; it needs the ``gate``."""
        self._ask(f"/control/wait?held={held}&cancelled={cancelled}")

    def release(self, count: int | None = None) -> None:
        """Let ``count`` held requests go, or all of them and those to come; it needs the ``gate``."""
        self._ask("/control/release", {"count": count})

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=_ASK_LIMIT) as answer:  # nosec B310
            value: dict[str, Any] = json.load(answer)
        return value

    def close(self) -> None:
        """End the service; it keeps nothing, so it is killed where it does not end at once."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> HostProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
