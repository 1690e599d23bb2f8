"""A setting, or an argument, leads every load to the gateway itself; what is missing for it is named, and so is every setting."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ib_bars import walk
from ktrdr_core import DataManager, errors
from ktrdr_core.data import IbDataAdapter
from ktrdr_core.testing import IbGatewaySimulator
from test_extras import WITHOUT
from test_ib_gateway_routes import by_command, kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest.importorskip("ib_async")

ROOT = Path(__file__).parents[2]
_RANGE = ("2024-03-04", "2024-03-08")
_SERIES = ("AAPL", "1h")


@pytest.fixture(scope="module")
def gateway() -> Iterator[IbGatewaySimulator]:
    with IbGatewaySimulator({("AAPL", "1 min"): walk("2024-03-01", "2024-03-09")}) as one:
        yield one


def env_of(gateway: IbGatewaySimulator, **more: str) -> dict[str, str]:
    return {"IB_GATEWAY_PORT": str(gateway.port), **more}


def of_load(data: DataManager) -> Any:
    return data.load_data(*_SERIES, *_RANGE, mode="full")


def of_many(data: DataManager) -> Any:
    return data.load_many([_SERIES[0]], _SERIES[1], *_RANGE, mode="full")


def of_job(data: DataManager) -> Any:
    return data.jobs.start_job(data.jobs.create_job(*_SERIES, *_RANGE))


_LOADS = {"load_data": of_load, "load_many": of_many, "a job": of_job}
#: How the gateway itself is chosen: an argument, and settings.
_CHOSEN: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"use_ib_host_service": False}, {}),
    ({"use_ib_host_service": False}, {"USE_IB_HOST_SERVICE": "true"}),
    ({"use_ib_host_service": False}, {"IB_HOST_SERVICE_URL": "http://127.0.0.1:9"}),
    ({}, {"USE_IB_HOST_SERVICE": "false"}),
    ({}, {"USE_IB_HOST_SERVICE": "0"}),
    ({}, {"USE_IB_HOST_SERVICE": "no", "IB_HOST_SERVICE_URL": "http://127.0.0.1:9"}),
]


@pytest.mark.parametrize("load", _LOADS.values(), ids=_LOADS)
@pytest.mark.parametrize(("argument", "setting"), _CHOSEN)
def test_each_load_of_a_manager_asks_the_gateway(
    gateway: IbGatewaySimulator,
    argument: dict[str, Any],
    setting: dict[str, str],
    load: Callable[[DataManager], Any],
    tmp_path: Path,
) -> None:
    with DataManager(tmp_path, env=env_of(gateway, **setting), **argument) as data:
        assert not data.is_using_host_service()
        assert gateway.client_ids == []
        load(data).result(60)
        assert gateway.client_ids == [1]
        assert len(data.load_data(*_SERIES, *_RANGE).result(60)) == 35
    # It leaves with the manager.
    gateway.wait_until(lambda one: one.connections == 0)


@pytest.mark.parametrize(
    ("argument", "setting"),
    [
        ({}, {}),
        ({"use_ib_host_service": True}, {"USE_IB_HOST_SERVICE": "false"}),
        ({"ib_url": "http://127.0.0.1:9"}, {"USE_IB_HOST_SERVICE": "false"}),
        ({}, {"IB_HOST_SERVICE_URL": "http://127.0.0.1:9"}),
        ({}, {"USE_IB_HOST_SERVICE": ""}),
    ],
)
def test_nothing_else_does(
    gateway: IbGatewaySimulator, argument: dict[str, Any], setting: dict[str, str], tmp_path: Path
) -> None:
    accepted = gateway.accepted
    with DataManager(tmp_path, env=env_of(gateway, **setting), **argument) as data:
        with pytest.raises((errors.ConfigurationError, errors.ServiceConnectionError)):
            of_load(data).result(60)
    assert gateway.accepted == accepted


def test_a_manager_that_only_reads_makes_no_connection_and_looks_at_no_setting_of_one(
    gateway: IbGatewaySimulator, tmp_path: Path
) -> None:
    accepted = gateway.accepted
    wrong = {"USE_IB_HOST_SERVICE": "false", "IB_GATEWAY_PORT": "none"}
    with DataManager(tmp_path, env=wrong) as data:
        assert len(data.load_data(*_SERIES, *_RANGE).result(20)) == 0
        for load in _LOADS.values():
            with pytest.raises(errors.ConfigurationError, match="IB_GATEWAY_PORT must be a number"):
                load(data)
    assert gateway.accepted == accepted


def test_the_command_line_asks_the_gateway_where_the_setting_says_so(
    gateway: IbGatewaySimulator, tmp_path: Path
) -> None:
    setting = env_of(gateway, USE_IB_HOST_SERVICE="false")
    said = by_command(tmp_path / "set", *_SERIES, span=_RANGE, **setting)
    assert said.returncode == 0, said.stderr
    assert f"from 127.0.0.1:{gateway.port}, " in said.stdout
    again = by_command(tmp_path / "set", *_SERIES, span=_RANGE, **setting)
    assert ", 0 requests, " in again.stdout
    port = ["--source", "gateway", "--gateway-port", str(gateway.port)]
    by_command(tmp_path / "said", *_SERIES, *port, span=_RANGE).check_returncode()
    assert kept(tmp_path / "set") == kept(tmp_path / "said")
    # What the command says goes before the setting, and what is stored is read by anybody.
    for asked, status in (
        (["--source", "host"], 2),
        (["--ib-url", "http://127.0.0.1:9"], 1),
        (["--mode", "local"], 0),
    ):
        accepted = gateway.accepted
        other = tmp_path / ("set" if not status else "other")
        assert by_command(other, *_SERIES, *asked, span=_RANGE, **setting).returncode == status
        assert gateway.accepted == accepted
    gateway.wait_until(lambda one: one.connections == 0)


def test_the_demonstration_loads_from_the_gateway_where_the_setting_says_so(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("bokeh_sampledata")
    days = walk("2000-01-03", "2013-03-04", 86_400)
    # Moves as those of stocks, so that there is something to learn from.
    chance = np.random.default_rng(1)
    close = np.round(50 * np.exp(np.cumsum(chance.normal(0, 0.02, len(days["timestamp"])))), 4)
    days |= {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close}
    with IbGatewaySimulator({(name, "1 day"): days for name in ("AAPL", "MSFT")}) as gateway:
        done = subprocess.run(
            [sys.executable, "-m", "ktrdr_core", "demo", "--dir", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env={**os.environ, **env_of(gateway, USE_IB_HOST_SERVICE="false")},
        )
        assert done.returncode == 0, done.stderr
        assert f"at 127.0.0.1:{gateway.port}" in done.stdout
        # Nothing is asked again.
        assert re.search(r"^again +[0-9,]+ in 0 requests", done.stdout, re.MULTILINE)
        assert gateway.count("history") >= 14
        gateway.wait_until(lambda one: one.connections == 0)


_TOLD = """
import sys
from ktrdr_core import errors
try:
    {use}
except errors.FeatureNotAvailableError as error:
    print(error)
"""
_OPENED = "import tempfile; from ktrdr_core import DataManager; data = DataManager(tempfile.mkdtemp(), env={'USE_IB_HOST_SERVICE': 'false'}); "
_PATHS = {
    "load_data": _OPENED + "data.load_data('AAPL', '1h', '2024-03-04', '2024-03-08', mode='full')",
    "load_many": _OPENED + "data.load_many(['AAPL'], '1h', '2024-03-04', mode='full')",
    "a job": _OPENED + "data.jobs.create_job('AAPL', '1h', '2024-03-04', '2024-03-08')",
    "the argument": _OPENED.replace(
        "env={'USE_IB_HOST_SERVICE': 'false'}", "env={}, use_ib_host_service=False"
    )
    + "data.load_data('AAPL', '1h', mode='tail')",
    "IbDataAdapter": "from ktrdr_core.data import IbDataAdapter; IbDataAdapter(use_host_service=False, env={})",
    "IbGatewaySource": "from ktrdr_core.data import IbGatewaySource; IbGatewaySource(env={})",
}
_COMMANDS = {
    "data load by setting": "data load AAPL 1h --start 2024-03-04 --data-dir {folder}",
    "data load": "data load AAPL 1h --source gateway --data-dir {folder}",
    "data refresh": "data refresh AAPL 1h --start 2024-03-04 --end 2024-03-05 --data-dir {folder}",
    "demo": "demo --dir {folder}",
    "serve ib": "serve ib --source gateway --port 0",
}
_NAMED = r"needs ib_async, which is not installed: .* 'ktrdr-core\[ib\]'"


def hidden(code: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run where ib_async cannot be found."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code, "ib_async", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **settings},
    )


@pytest.mark.parametrize("use", _PATHS.values(), ids=_PATHS)
def test_without_the_extra_each_way_in_python_names_it(use: str) -> None:
    done = hidden(_TOLD.format(use=use))
    assert re.search(_NAMED, done.stdout), done.stderr


@pytest.mark.parametrize("words", _COMMANDS.values(), ids=_COMMANDS)
def test_without_the_extra_each_command_names_it_and_leaves_nothing_behind(
    words: str, tmp_path: Path
) -> None:
    run = "from ktrdr_core.cli import main; sys.argv[:] = ['ktrdr-core', *sys.argv[2:]]; main()"
    arguments = words.format(folder=tmp_path / "none").split()
    done = hidden(run, *arguments, USE_IB_HOST_SERVICE="false")
    assert done.returncode not in (0, None)
    assert re.search(_NAMED, done.stderr), (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "none").exists()


def test_without_the_extra_everything_else_works(tmp_path: Path) -> None:
    code = (
        _OPENED + "print(len(data.load_data('AAPL', '1h', '2024-03-04', '2024-03-08').result(20)))"
    )
    done = hidden(code)
    assert done.stdout.strip() == "0", done.stderr


def test_each_setting_stands_in_the_readme_and_on_the_gateways_page() -> None:
    """Those that the source reads, wherever in the package that is."""
    read: set[str] = set()
    for path in (ROOT / "python" / "ktrdr_core").rglob("*.py"):
        read |= set(re.findall(r'"(IB_GATEWAY_[A-Z_]+)"', path.read_text()))
    assert read == {"IB_GATEWAY_HOST", "IB_GATEWAY_PORT", "IB_GATEWAY_CLIENT_ID"}
    for page in ("README.md", "docs/guide/ib-gateway.md", "docs/reference/cli.md"):
        text = (ROOT / page).read_text()
        for name in (*read, "USE_IB_HOST_SERVICE"):
            assert name in text, (page, name)
    # And no page has one that nobody reads.
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        assert set(re.findall(r"IB_GATEWAY_[A-Z_]+", path.read_text())) <= read, path


def test_an_adapter_of_the_setting_is_a_source_of_a_manager(
    gateway: IbGatewaySimulator, tmp_path: Path
) -> None:
    with IbDataAdapter(env=env_of(gateway, USE_IB_HOST_SERVICE="false")) as adapter:
        with DataManager(tmp_path, source=adapter, env={}) as data:
            assert len(of_load(data).result(60)) == 35
    gateway.wait_until(lambda one: one.connections == 0)
