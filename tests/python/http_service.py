"""Servers for the tests of the HTTP client: plain or by TLS, with certificates of their own."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import trustme

from ktrdr_core.http import TlsOptions
from ktrdr_core.testing import FaultServer

if TYPE_CHECKING:
    from pathlib import Path


class Authority:
    """Signs certificates for the tests; ``trust`` is for those who believe it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = trustme.CA()
        file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(file))
        self.trust = TlsOptions(ca_file=file)

    def server(self, *names: str, **options: Any) -> ssl.SSLContext:
        """Make a server's side for a certificate of these names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names, **options).configure_cert(context)
        return context

    def files(self, name: str) -> tuple[Path, Path]:
        """Give the files of a certificate and of its key."""
        issued = self.ca.issue_cert(name)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(key))
        return certificate, key


class Service:
    """How a test's servers are reached: plain or by TLS."""

    def __init__(self, authority: Authority, *, tls: bool) -> None:
        self._context = authority.server("127.0.0.1") if tls else None
        self.trust = authority.trust if tls else None

    def serve(self, handler: Any = b"", **options: Any) -> FaultServer:
        """Start a server."""
        return FaultServer(handler, tls=self._context, **options)
