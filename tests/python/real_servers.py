"""Servers of the trade for the tests: nginx, haproxy, uvicorn, each a process on loopback that ends with its block."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def program(name: str) -> str:
    # Debian puts servers where a user's PATH need not look.
    found = shutil.which(name, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    assert found, f"{name} is missing; tools/setup.sh dev installs it"
    return found


@contextlib.contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server in a process group of its own and wait until it listens."""
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        ) as process,
    ):
        try:
            until = time.monotonic() + 30
            while not listens(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, f"{command} does not listen: {log.read_text()}"
                time.sleep(0.01)
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
                os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def nginx(folder: Path, server: str, outside: str = "") -> Iterator[tuple[int, int]]:
    """Run nginx with this server block, ``PORT`` in it replaced; its port and process group."""
    port = free_port()
    folder.mkdir(exist_ok=True)
    file = folder / "nginx.conf"
    # Started by root it would hand its files to another user, who cannot look into a test's folder.
    user = "user root;" if os.geteuid() == 0 else ""
    file.write_text(f"""
        {user} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
        events {{ worker_connections 512; }}
        http {{
            access_log off; default_type text/plain;
            client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
            fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
            {outside}
            server {{ listen 127.0.0.1:{port} {server.replace("PORT", str(port))} }}
        }}""")
    command = [program("nginx"), "-e", str(folder / "error.log"), "-c", str(file)]
    with running(command, port, folder / "output.log") as process:
        yield port, process.pid


@contextlib.contextmanager
def haproxy(folder: Path, backends: list[int]) -> Iterator[int]:
    """Run haproxy before these ports; its own."""
    port = free_port()
    servers = "\n".join(
        f"  server s{i} 127.0.0.1:{backend} check inter 50ms fall 1 rise 1"
        for i, backend in enumerate(backends)
    )
    file = folder / "haproxy.cfg"
    file.write_text(f"""
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  timeout http-keep-alive 500ms
  retries 2
  option redispatch 1
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  balance roundrobin
{servers}
""")
    with running([program("haproxy"), "-db", "-f", str(file)], port, folder / "haproxy.log"):
        yield port


@contextlib.contextmanager
def uvicorn(folder: Path, source: str, *options: str) -> Iterator[tuple[int, int]]:
    """Run an ASGI application, ``app`` of this source; its port and process group."""
    port = free_port()
    (folder / "served.py").write_text(source)
    command = [sys.executable, "-m", "uvicorn", "served:app", "--app-dir", str(folder)]
    command += ["--port", str(port), "--log-level", "warning", *options]
    with running(command, port, folder / "uvicorn.log") as process:
        yield port, process.pid
