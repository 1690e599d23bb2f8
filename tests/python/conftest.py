"""Fixtures that several files of tests share, and a watch over what all of them print and leave alive."""

from __future__ import annotations

import gc
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

import held

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from http_service import Authority, Service
    from ktrdr_core.hosts.child import HostProcess
    from ktrdr_core.http import Client
    from ktrdr_core.testing import FaultServer

# So that their assertions say what they compare.
pytest.register_assert_rewrite("over_http", "ramp_source", "sink")

#: Stands for a secret wherever a test sends one; in no output of any test.
MARKER = "hush-4fd1c7a2"

# A script's background job is deaf to Ctrl-C, and so would be the children that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test whose output, logs included, holds the secret."""
    report = yield
    if any(MARKER in text for _, text in report.sections):
        report.outcome = "failed"
        report.longrepr = "a secret stands in what this test has printed or logged"
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


def pytest_collection_finish() -> None:
    """Let a collection of garbage pass over what the modules have made: a test's own is little."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_native_is_left(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Fail a test after which more native objects are alive than before it; the fixtures of modules come before it."""
    before = held.native_objects()
    yield
    # What pytest holds until this has ended too: what the test's own fixtures gave, and tracebacks that were logged.
    request.node.funcargs.clear()
    for when in ("setup", "call"):
        caplog.get_records(when).clear()
    # The traceback of a failure holds what its frames hold.
    if not request.node.stash.get(_FAILED, False):
        left = held.left_alive(before)
        assert not left, f"native objects that this test has left alive: {left}"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    from http_service import Authority

    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(params=["plain", "tls"])
def service(request: pytest.FixtureRequest, authority: Authority) -> Service:
    from http_service import Service

    return Service(authority, tls=request.param == "tls")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """Give a server that answers every request with an empty object."""
    from ktrdr_core.testing import FaultServer, ok

    with FaultServer(ok("{}")) as one:
        yield one


@pytest.fixture
def client(server: FaultServer) -> Iterator[Client]:
    """Give a client of ``server`` that tries once."""
    from ktrdr_core.http import Client, RetryPolicy

    with Client(server.url, retry=RetryPolicy(attempts=1)) as one:
        yield one


@pytest.fixture(scope="module")
def host() -> Iterator[HostProcess]:
    """A service that answers at once; a module may have its own."""
    from ktrdr_core.hosts.child import HostProcess

    with HostProcess(delay=0) as service:
        yield service


@pytest.fixture(scope="module")
def stored(host: HostProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with 3017 daily bars of AAPL in it, loaded from the module's service."""
    from ktrdr_core import DataManager

    folder = tmp_path_factory.mktemp("stored")
    with DataManager(folder, host.url, env={}) as data:
        data.load_data("AAPL", "1d", "2001-01-01", "2012-12-31", mode="full").result(60)
    return folder


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A strategy that is trained for two epochs."""
    import yaml

    from commands import STRATEGY

    strategy: dict[str, Any] = yaml.safe_load(STRATEGY.read_text())
    strategy["model"]["training"]["epochs"] = 2
    path = tmp_path / "short.yaml"
    path.write_text(yaml.safe_dump(strategy, sort_keys=False))
    return path


@pytest.fixture
def no_thread_of_a_call_is_left() -> Iterator[None]:
    """After a test of sources no thread is left in which a method of one ran."""
    from ramp_source import until

    yield
    until(lambda: not any(t.name == "ktrdr_core source call" for t in threading.enumerate()))
