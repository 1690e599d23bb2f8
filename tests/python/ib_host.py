"""The replay IB host service as a child process, for tests."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType


class IbHost:
    """A running service; ``url`` is where. ``gate=True`` holds every answer with bars until released."""

    def __init__(self, delay: float = 0.0, *, gate: bool = False) -> None:
        command = [
            sys.executable,
            "-m",
            "ktrdr_core.hosts.ib",
            "--port",
            "0",
            "--delay",
            str(delay),
        ]
        self._process = subprocess.Popen(
            command + (["--gate"] if gate else []),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        found = None
        while found is None:
            line = self._process.stdout.readline()
            assert line, "the service ended before it listened"
            found = re.search(r"http://[\w.:]+", line)
        self.url = found.group(0)

    def get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            value: dict[str, Any] = json.load(answer)
            return value

    def stats(self) -> dict[str, Any]:
        """``/health/detailed``, which does not count itself among the requests."""
        return self.get("/health/detailed")

    def wait_until(self, name: str, at_least: int) -> dict[str, Any]:
        """Ask for the stats until one of them has grown as expected."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            stats = self.stats()
            if stats[name] >= at_least:
                return stats
        raise AssertionError(f"{name} never reached {at_least}: {stats}")

    def release(self, count: int | None = None) -> None:
        """Let ``count`` held answers go, or all from now on."""
        request = urllib.request.Request(
            self.url + "/control/release",
            data=json.dumps({"count": count}).encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=30).close()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> IbHost:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
