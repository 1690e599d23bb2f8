"""Bad input gets one clear message and changes nothing."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from ktrdr_core import DataManager, TrainingManager, errors
from ktrdr_core.testing import CLOSE, HOLD, FaultServer, ok, status

RANGE: dict[str, Any] = {"start_date": "2005-01-01", "end_date": "2006-01-01", "mode": "full"}


@pytest.fixture
def data(tmp_path: Path) -> Any:
    # Nothing listens there: whoever asks the network fails otherwise than the test expects.
    with DataManager(tmp_path / "data", "http://127.0.0.1:9", env={}) as manager:
        yield manager
        assert manager.pool_stats()["connections_created"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"timeframe": "1dd"}, "1d"),
        ({"timeframe": ""}, "timeframe"),
        ({"mode": "fulll"}, "full"),
        ({"mode": "tails"}, "local"),
        ({"symbol": ""}, "symbol"),
        ({"symbol": "  "}, "symbol"),
        ({"symbol": "A\nB"}, "symbol"),
        ({"symbol": "x" * 129}, "symbol"),
        ({"start_date": "2006-01-01", "end_date": "2005-01-01"}, "start"),
        ({"start_date": "2006-01-02", "end_date": "2006-01-01"}, "start"),
        ({"start_date": "yesterday"}, "start_date"),
        ({"end_date": "2005-02-30"}, "end_date"),
        ({"mode": "local", "refresh": True}, "refresh"),
        ({"operation_id": "a b"}, "id"),
    ],
)
def test_a_load_with_a_bad_argument_is_refused_before_any_work(
    data: DataManager, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=words):
        data.load_data(**({"symbol": "AAPL", "timeframe": "1d"} | RANGE | arguments))


def test_a_date_of_a_wrong_type_is_named(data: DataManager) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="start_date must be"):
        data.load_data("AAPL", "1d", 2005)  # type: ignore[arg-type]


def test_without_a_service_the_message_names_both_ways_and_the_command(tmp_path: Path) -> None:
    with DataManager(tmp_path, env={}) as data:
        with pytest.raises(errors.ConfigurationError) as caught:
            data.load_data("AAPL", "1d", **RANGE)
    for words in ("ib_url", "USE_IB_HOST_SERVICE", "IB_HOST_SERVICE_URL", "ktrdr_core.hosts.ib"):
        assert words in str(caught.value)


def test_an_unreadable_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigurationError, match=r"USE_IB_HOST_SERVICE.*maybe"):
        with DataManager(tmp_path, env={"USE_IB_HOST_SERVICE": "maybe"}) as data:
            data.load_data("AAPL", "1d", **RANGE)


def test_a_service_that_does_not_run_is_named_with_the_command_that_starts_one(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with DataManager(tmp_path, url, env={}) as data:
        load = data.load_data("AAPL", "1d", **RANGE)
        with pytest.raises(errors.ServiceConnectionError) as caught:
            load.result(timeout=30)
        assert load.status == "failed"
    for words in (url, "IB_HOST_SERVICE_URL", f"`python -m ktrdr_core.hosts.ib --port {port}`"):
        assert words in str(caught.value)
    assert isinstance(caught.value, ConnectionError)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (b"garbage\r\n\r\n", errors.ProtocolError),
        (ok("not json"), errors.ProtocolError),
        (ok("[1, 2]"), errors.ProtocolError),
        (ok('{"success": true, "is_valid": "perhaps"}'), errors.ProtocolError),
        (ok('{"success": true}')[:-5], errors.HostServiceError),
        (b"HTTP/1.1 200 OK\r\nContent-Le", errors.HostServiceError),
        (b"", errors.HostServiceError),
        (status(500, "oops"), errors.StatusError),
        (ok('{"success": false, "error": "gateway asleep"}'), errors.HostServiceError),
    ],
)
def test_a_service_that_answers_nonsense_is_a_host_service_error(
    tmp_path: Path, reply: bytes, kind: type[errors.HostServiceError]
) -> None:
    with FaultServer([reply, CLOSE]) as server, DataManager(tmp_path, server.url, env={}) as data:
        load = data.load_data("AAPL", "1d", **RANGE)
        with pytest.raises(kind) as caught:
            load.result(timeout=30)
        assert server.url in str(caught.value) or "asleep" in str(caught.value)
        assert len(data.load_data("AAPL", "1d").result(timeout=30)) == 0


def test_a_service_that_never_answers_can_be_cancelled_and_sees_its_socket_close(
    tmp_path: Path,
) -> None:
    with FaultServer(HOLD) as server, DataManager(tmp_path, server.url, env={}) as data:
        load = data.load_data("AAPL", "1d", **RANGE)
        server.wait_until(lambda it: bool(it.requests))
        assert load.cancel("enough")
        with pytest.raises(errors.OperationCancelledError, match="enough"):
            load.result(timeout=30)
        server.wait_until(lambda it: it.open_connections == 0)


def test_a_file_in_place_of_the_data_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine")
    with pytest.raises(errors.StorageError, match="data"):
        DataManager(tmp_path / "data", env={})
    assert (tmp_path / "data").read_text() == "mine"


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ktrdr.db").write_text("something of mine, and not a database at all" * 10)
    with pytest.raises(errors.StorageError, match=r"ktrdr\.db"):
        DataManager(tmp_path, env={})
    assert (tmp_path / "ktrdr.db").read_text().startswith("something of mine")


def test_a_local_load_of_nothing_has_no_bars(data: DataManager) -> None:
    assert len(data.load_data("AAPL", "1d").result(timeout=30)) == 0


def test_an_id_names_one_request(data: DataManager) -> None:
    first = data.load_data("AAPL", "1d", operation_id="mine")
    again = data.load_data("AAPL", "1d", operation_id="mine")
    assert first.id == again.id == "mine"
    with pytest.raises(errors.ConflictError, match="mine"):
        data.load_data("MSFT", "1d", operation_id="mine")


@pytest.mark.parametrize("pool_size", [0, -3])
def test_a_pool_of_no_connections_is_refused(tmp_path: Path, pool_size: int) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="pool_size"):
        DataManager(tmp_path, pool_size=pool_size, env={})


@pytest.mark.parametrize("url", ["ftp://x", "localhost:5001", "http://", "http://a b/"])
def test_a_url_that_cannot_be_used_is_named(tmp_path: Path, url: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=r"url|URL"):
        DataManager(tmp_path, url, env={})


def test_a_strategy_that_is_not_there_is_named(data: DataManager, tmp_path: Path) -> None:
    with TrainingManager(data, tmp_path, env={}) as training:
        with pytest.raises(errors.StrategyError, match=r"nowhere\.yaml"):
            training.train_multi_symbol_strategy(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("field", ["symbols", "timeframes"])
def test_one_text_in_place_of_a_list_is_named(
    data: DataManager, tmp_path: Path, field: str
) -> None:
    strategy = Path(__file__).parents[2] / "examples" / "strategies" / "momentum_mlp.yaml"
    given: Any = {field: "AAPL"}
    with TrainingManager(data, tmp_path / "models", env={}) as training:
        with pytest.raises(errors.InvalidArgumentError, match=rf"{field} is a list.*\['AAPL'\]"):
            training.train_multi_symbol_strategy(strategy, **given)


def test_a_training_without_bars_says_how_to_load_them(data: DataManager, tmp_path: Path) -> None:
    strategy = Path(__file__).parents[2] / "examples" / "strategies" / "momentum_mlp.yaml"
    with TrainingManager(data, tmp_path / "models", env={}) as training:
        operation = training.train_multi_symbol_strategy(strategy)
        with pytest.raises(errors.DataError, match="load"):
            operation.result(timeout=60)
    assert not [path for path in (tmp_path / "models").rglob("*") if path.is_file()]
