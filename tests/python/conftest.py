"""Fixtures that several files of tests share, and a watch over what all of them print."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from http_service import Authority, Service

#: Stands for a secret wherever a test sends one; in no output of any test.
MARKER = "hush-4fd1c7a2"

# A script's background job is deaf to Ctrl-C, and so would be the children that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Fail a test whose output, logs included, holds the secret."""
    report = yield
    if any(MARKER in text for _, text in report.sections):
        report.outcome = "failed"
        report.longrepr = "a secret stands in what this test has printed or logged"
    return report


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    from http_service import Authority

    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(params=["plain", "tls"])
def service(request: pytest.FixtureRequest, authority: Authority) -> Service:
    from http_service import Service

    return Service(authority, tls=request.param == "tls")
