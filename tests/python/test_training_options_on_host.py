"""Every option of a training acts on a host as it does here, or is refused by its name; old hosts are told of."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ktrdr_core import DataManager, OperationsService, TrainingManager, _core, errors
from ktrdr_core.operations.context import OperationScope
from ktrdr_core.strategies import load_strategy
from ktrdr_core.testing import FaultServer, ok
from training_hosts import ENDLESS, LIMIT, TrainingHost, store_bars, strategy_file, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ktrdr_core import Operation

#: Values other than the usual ones, which act on the result: by what the option is called in a request to the core.
ACTING: dict[str, Any] = {
    "symbols": ["MSFT"],
    "timeframes": ["1d"],
    "start_date": "2018-03-01",
    "end_date": "2020-01-31",
    "test_from": "2020-02-03",
    "what_to_show": "ADJUSTED_LAST",
    "session": "extended",
    "validation_split": 0.3,
    "random_walk_baseline": False,
    "permutation_importance": True,
}
#: What no result shows, and a test of its own.
SEEN_OTHERWISE = {
    "strategy",
    "strategy_path",
    "operation_id",
    "parent_id",
    # test_training_rejoined.py
    "resume",
    "resume_from",
    "save_checkpoint",
    "checkpoint_epochs",
    "checkpoint_seconds",
}
#: By which the host cannot go, and why.
REFUSED: dict[str, tuple[Any, str]] = {
    "priority": (3, "priority is 3.*has a queue of its own"),
}


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two symbols, of each three series that differ."""
    folder = tmp_path_factory.mktemp("bars")
    store_bars(folder)
    with DataManager(folder, env={}) as data:
        for symbol in ("AAPL", "MSFT"):
            trades = data.get_data(symbol, "1d")
            for factor, words in (
                (0.5, {"what_to_show": "ADJUSTED_LAST"}),
                (2.0, {"session": "extended"}),
            ):
                columns = {
                    name: getattr(trades, name) * factor
                    for name in ("open", "high", "low", "close")
                }
                # Later prices by another factor than earlier ones: else every move would be the same.
                for prices in columns.values():
                    prices[::2] *= 1 + factor / 100
                top = columns["high"].copy()
                columns["high"], columns["low"] = top * 1.1, top * 0.9
                columns |= {"timestamp": trades.time, "volume": trades.volume}
                data.store(symbol, "1d", columns, **words).result(60)  # type: ignore[arg-type]
    return folder


@pytest.fixture(scope="module")
def host(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingHost]:
    with TrainingHost(bars, tmp_path_factory.mktemp("there")) as one:
        yield one


@pytest.fixture
def remote(host: TrainingHost, tmp_path: Path) -> Iterator[TrainingManager]:
    """A client of it, without bars."""
    with (
        DataManager(tmp_path / "empty", env={}) as data,
        TrainingManager(data, tmp_path / "models", training_url=host.url, env={}) as one,
    ):
        yield one


@pytest.fixture(scope="module")
def local(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingManager]:
    with (
        DataManager(bars, env={}) as data,
        TrainingManager(data, tmp_path_factory.mktemp("local"), env={}) as one,
    ):
        yield one


def members_of_a_request() -> set[str]:
    """What a request to the core may have, by what it says itself."""
    with pytest.raises(TypeError) as refused:
        _core.TrainingRequest(nothing_of_the_kind=1)  # type: ignore[call-arg]
    return set(re.findall(r"\w+", str(refused.value).partition("it has ")[2]))


def options_of_a_training() -> set[str]:
    """What a person may say, but for what never leaves the caller's process."""
    said = set(inspect.signature(TrainingManager.train_multi_symbol_strategy).parameters)
    return said - {"self", "strategy_config_path", "cancellation_token", "progress_callback"}


def test_no_option_is_forgotten() -> None:
    known = set(ACTING) | SEEN_OTHERWISE | set(REFUSED)
    assert members_of_a_request() == known
    assert options_of_a_training() == known - {"strategy", "strategy_path", "parent_id", "resume"}


def outcome(result: dict[str, Any]) -> dict[str, Any]:
    """All that two trainings of the same have alike: weights and figures."""
    folder = Path(result["artifacts"]["model_path"])
    walk = dict(result["baselines"]["random_walk"], seconds=None)
    figures = {
        name: part
        for name, part in result.items()
        if name not in ("artifacts", "session_info", "resource_usage", "training_metrics")
    }
    config = json.loads((folder / "config.json").read_text())
    return {
        **figures,
        "baselines": {**result["baselines"], "random_walk": walk},
        "weights": (folder / "model.safetensors").read_bytes(),
        "summary": result["session_info"]["data_summary"],
        "series": json.loads((folder / "metadata.json").read_text())["series"],
        "config": config,
    }


@pytest.fixture(scope="module")
def usual(local: TrainingManager, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = strategy_file(tmp_path_factory.mktemp("usual"))
    return outcome(local.train_multi_symbol_strategy(path).result(LIMIT))


@pytest.mark.parametrize("name", ACTING)
def test_an_option_acts_on_a_host_as_it_does_here(
    name: str,
    local: TrainingManager,
    remote: TrainingManager,
    usual: dict[str, Any],
    tmp_path: Path,
) -> None:
    path = strategy_file(tmp_path)
    asked = {name: ACTING[name]}
    here = outcome(local.train_multi_symbol_strategy(path, **asked).result(LIMIT))
    operation = remote.train_multi_symbol_strategy(path, **asked)
    assert outcome(operation.result(LIMIT)) == here
    assert not [each for each in operation.warnings if "does not say that it has used" in each]
    if name != "timeframes":
        here["config"] = usual["config"]
        assert here != usual, "the option does nothing"


def test_the_strategy_its_path_its_id_and_its_parent_count(
    remote: TrainingManager, host: TrainingHost, tmp_path: Path
) -> None:
    path = strategy_file(tmp_path, epochs=2)
    parent = _core.create_operation(
        _core.OperationSpec({"type": "sweep", "name": "above"}), None, None, {}
    )[0]
    try:
        operation = OperationScope(parent).run(
            remote.train_multi_symbol_strategy, path, operation_id=f"mine-{tmp_path.name}"
        )
        result = operation.result(LIMIT)
    finally:
        parent.succeed({})
    assert result["training_metrics"]["epochs_completed"] == 2
    config = json.loads((Path(result["artifacts"]["model_path"]) / "config.json").read_text())
    assert config["strategy"] == load_strategy(path).to_json()
    assert config["strategy_path"] == str(path)
    assert OperationsService().get(operation.id).parent_id == parent.id
    with host.client() as http:
        told = http.get(f"/training/status/mine-{tmp_path.name}").json()
    assert told["status"] == "completed"


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_host_cannot_go_by_is_refused_by_its_name(
    name: str, remote: TrainingManager, tmp_path: Path
) -> None:
    value, said = REFUSED[name]
    asked = {"strategy": load_strategy(strategy_file(tmp_path)).to_json(), "operation_id": "none"}
    with pytest.raises(errors.InvalidArgumentError, match=said):
        remote._train({**asked, name: value})


def in_epochs(operation: Operation[Any]) -> None:
    until(lambda: operation.progress.epoch > 1 or operation.done())
    assert not operation.done()


def checkpoint_there(host: TrainingHost, bars: Path, operation_id: str) -> Path:
    with host.client() as http:
        return (
            Path(http.get("/").json()["models_dir"])
            / ".checkpoints"
            / f"{operation_id}.safetensors"
        )


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({"checkpoint_epochs": 1, "checkpoint_seconds": 0.0}, True),
        ({"checkpoint_seconds": 1e-9}, True),
        ({"checkpoint_seconds": 0.0}, False),
    ],
)
def test_a_host_keeps_checkpoints_when_it_is_asked_to(
    asked: dict[str, Any],
    kept: bool,
    remote: TrainingManager,
    host: TrainingHost,
    bars: Path,
    tmp_path: Path,
) -> None:
    operation = remote.train_multi_symbol_strategy(strategy_file(tmp_path, **ENDLESS), **asked)
    in_epochs(operation)
    where = checkpoint_there(host, bars, operation.id)
    if kept:
        # By now the first epoch is over; by itself one is written after half a minute.
        assert where.exists()
    else:
        before = operation.progress.epoch
        until(lambda: operation.progress.epoch > before + 3)
        assert not where.exists()
    operation.cancel("enough")
    until(operation.done)


@pytest.mark.parametrize("save", [True, False])
def test_a_session_leaves_a_checkpoint_where_its_client_wants_one_whoever_stops_it(
    save: bool, remote: TrainingManager, host: TrainingHost, bars: Path, tmp_path: Path
) -> None:
    path = strategy_file(tmp_path, **ENDLESS)
    with host.client() as http:
        for stop in (
            lambda operation: operation.cancel("by its client"),
            lambda operation: http.post("/training/stop", json={"session_id": operation.id}),
        ):
            operation = remote.train_multi_symbol_strategy(
                path, save_checkpoint=save, checkpoint_seconds=0.0
            )
            in_epochs(operation)
            stop(operation)
            until(operation.done)
            assert checkpoint_there(host, bars, operation.id).exists() is save


def test_a_session_goes_on_from_another_one(
    remote: TrainingManager, host: TrainingHost, bars: Path, tmp_path: Path
) -> None:
    path = strategy_file(tmp_path, **ENDLESS)
    first = remote.train_multi_symbol_strategy(path)
    in_epochs(first)
    first.cancel("a pause")
    until(first.done)
    second = remote.train_multi_symbol_strategy(path, resume_from=first.id)
    in_epochs(second)
    epochs = [row["epoch"] for row in OperationsService().metrics(second.id).metrics]
    assert epochs[0] > 1
    second.cancel("enough")
    until(second.done)


def test_a_host_that_knows_only_the_table_is_told_of_by_a_warning(
    tmp_path: Path, bars: Path
) -> None:
    """Each option that such a host passes over is named, and nothing else is."""
    started = {"session_id": "old", "status": "started", "message": "", "gpu_allocated": False}
    done = {"session_id": "old", "status": "COMPLETED", "progress": {"epoch": 1}, "metrics": {}}

    def answer(request: Any) -> Any:
        return ok(json.dumps(started if request.method == "POST" else done))

    asked: dict[str, Any] = {
        **{name: ACTING[name] for name in ("test_from", "what_to_show", "session")},
        **{name: ACTING[name] for name in ("random_walk_baseline", "permutation_importance")},
        "resume_from": "before",
        "save_checkpoint": False,
        "checkpoint_epochs": 2,
        "checkpoint_seconds": 7.5,
    }
    path = strategy_file(tmp_path)
    with (
        FaultServer(answer) as old,
        DataManager(tmp_path / "empty", env={}) as data,
        TrainingManager(data, tmp_path / "models", training_url=old.url, env={}) as remote,
    ):

        def passed_over(**options: Any) -> list[str]:
            operation = remote.train_multi_symbol_strategy(path, **options)
            operation.result(LIMIT)
            return [each for each in operation.warnings if "does not say" in each]

        assert passed_over() == []
        for name, value in asked.items():
            (warning,) = passed_over(**{name: value})
            assert f"used {name}={json.dumps(value)}:" in warning
        (warning,) = passed_over(**asked)
        assert all(f"{name}=" in warning for name in asked)


def test_a_wrong_value_is_refused_by_the_host_as_it_is_here(
    host: TrainingHost, local: TrainingManager, remote: TrainingManager, tmp_path: Path
) -> None:
    from training_hosts import start_body

    wrong: list[tuple[str, Any]] = [
        ("random_walk_baseline", "no"),
        ("permutation_importance", 1),
        ("save_checkpoint", "yes"),
        ("checkpoint_epochs", 1.5),
        ("checkpoint_epochs", -1),
        ("checkpoint_seconds", "soon"),
        ("checkpoint_seconds", -1),
        ("resume_from", 7),
        ("what_to_show", 7),
        ("what_to_show", "trades"),
        ("session", "night"),
    ]
    with host.client() as http:
        for name, value in wrong:
            body = start_body()
            body["training_configuration"] = {name: value}
            response = http.post("/training/start", json=body)
            assert response.status_code == 422, (name, value, response.text)
            assert name in response.json()["detail"]
    path = strategy_file(tmp_path)
    starts: list[Callable[..., Any]] = [
        each.train_multi_symbol_strategy for each in (local, remote)
    ]
    for start in starts:
        for name, value in (
            ("what_to_show", "trades"),
            ("session", "night"),
            ("checkpoint_epochs", -1),
        ):
            with pytest.raises(errors.InvalidArgumentError, match=name):
                start(path, **{name: value})
