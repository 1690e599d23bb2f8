"""Trainings end to end: bars of a real service, LibTorch, a model on disk."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from ktrdr_core import DataManager, Operation, ProgressState, TrainingManager, errors
from ktrdr_core.hosts.child import HostProcess

EXAMPLE = Path(__file__).parents[2] / "examples" / "strategies" / "momentum_mlp.yaml"


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A manager over stored bars of both symbols."""
    folder = tmp_path_factory.mktemp("bars")
    with HostProcess(delay=0) as host, DataManager(folder, host.url, env={}) as data:
        for symbol in ("AAPL", "MSFT"):
            data.load_data(symbol, "1d", "2000-01-01", "2013-12-31", mode="full").result(60)
    with DataManager(folder, env={}) as stored:
        yield stored


def strategy_file(folder: Path, **training: Any) -> Path:
    """The example with other training parameters."""
    strategy = yaml.safe_load(EXAMPLE.read_text())
    strategy["model"]["training"].update(training)
    path = folder / "strategy.yaml"
    path.write_text(yaml.safe_dump(strategy, sort_keys=False))
    return path


def weights(result: dict[str, Any]) -> bytes:
    return (Path(result["artifacts"]["model_path"]) / "model.safetensors").read_bytes()


def models_in(folder: Path) -> list[Path]:
    """The files of models; checkpoints are none."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if ".checkpoints" not in path.parts]


def test_a_training_leaves_a_whole_model_and_an_honest_result(
    bars: DataManager, tmp_path: Path
) -> None:
    with TrainingManager(bars, tmp_path / "models", env={}) as training:
        result = training.train_multi_symbol_strategy(strategy_file(tmp_path, epochs=3)).result(120)
    assert result["training_metrics"]["epochs_completed"] == 3
    assert 0 <= result["test_metrics"]["test_accuracy"] <= 1
    assert 0 < result["baselines"]["class_prior"] < 1
    folder = Path(result["artifacts"]["model_path"])
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "model.safetensors",
        "config.json",
        "metrics.json",
        "features.json",
        "metadata.json",
    }
    for path in folder.glob("*.json"):
        json.loads(path.read_text())
    from safetensors.numpy import load_file

    tensors = load_file(folder / "model.safetensors")
    assert {tensor.dtype.name for tensor in tensors.values()} == {"float32"}
    parameters = sum(tensor.size for tensor in tensors.values())
    assert parameters == result["model_info"]["parameters_count"]
    json.dumps(result, allow_nan=False)


def test_a_training_outlives_both_of_its_managers(bars: DataManager, tmp_path: Path) -> None:
    data = DataManager(bars.database_path.parent, env={})
    training = TrainingManager(data, tmp_path / "models", env={})
    operation = training.train_multi_symbol_strategy(strategy_file(tmp_path, epochs=3))
    del data, training
    gc.collect()
    assert operation.result(120)["training_metrics"]["epochs_completed"] == 3


def test_progress_names_epochs_and_batches_and_ends_at_100(
    bars: DataManager, tmp_path: Path
) -> None:
    async def main() -> list[ProgressState]:
        async with TrainingManager(bars, tmp_path / "models", env={}) as training:
            operation = training.train_multi_symbol_strategy(strategy_file(tmp_path, epochs=40))
            states = [state async for state in operation.events()]
            await operation
            return states

    states = asyncio.run(main())
    percentages = [state.percentage for state in states]
    assert percentages == sorted(percentages)
    assert percentages[-1] == 100
    inside = [s for s in states if s.context.get("current_epoch", 0) > 1]
    assert inside
    assert {"total_epochs", "current_batch", "total_batches", "symbols"} <= set(inside[-1].context)
    for state in inside:
        named = (
            state.context[name] for name in ("current_epoch", "current_batch", "total_batches")
        )
        assert (state.epoch, state.batch, state.total_batches) == tuple(named)
    assert "val_accuracy" in inside[-1].context["metrics"]
    assert any("Training MLP model on AAPL, MSFT [1d] [epoch" in s.message for s in states)


def test_the_same_seed_gives_the_same_weights_alone_and_ten_at_once(
    bars: DataManager, tmp_path: Path
) -> None:
    path = strategy_file(tmp_path, epochs=4)
    (tmp_path / "other").mkdir()
    other = strategy_file(tmp_path / "other", epochs=4, seed=99)
    with TrainingManager(bars, tmp_path / "models", env={}) as training:
        alone = weights(training.train_multi_symbol_strategy(path).result(120))
        beside = [training.train_multi_symbol_strategy(p) for p in 5 * (other, path)]
        results = [operation.result(120) for operation in beside]
    assert {weights(result) for result in results[1::2]} == {alone}
    (others,) = {weights(result) for result in results[::2]}
    assert others != alone
    paths = {result["artifacts"]["model_path"] for result in results}
    assert len(paths) == 10


def test_two_loads_and_a_training_at_once_each_see_their_own(
    bars: DataManager, tmp_path: Path
) -> None:
    async def follow(operation: Operation[Any], key: str) -> Any:
        async for state in operation.events():
            assert state.operation_id == operation.id
            if state.context:
                assert key in state.context
        return await operation

    async def main(url: str) -> None:
        async with (
            DataManager(tmp_path / "new", url, env={}) as data,
            TrainingManager(bars, tmp_path / "models", env={}) as training,
        ):
            span: tuple[str, str, Literal["full"]] = ("2000-01-01", "2013-12-31", "full")
            operations = [
                follow(data.load_data("AAPL", "1d", *span), "symbol"),
                follow(data.load_data("MSFT", "1d", *span), "symbol"),
                follow(
                    training.train_multi_symbol_strategy(strategy_file(tmp_path, epochs=5)),
                    "symbols",
                ),
            ]
            first, second, result = await asyncio.gather(*operations)
            assert len(first) == len(second) == 3270
            assert result["training_metrics"]["epochs_completed"] == 5

    with HostProcess(delay=0.01) as host:
        asyncio.run(main(host.url))


def test_a_cancelled_training_stops_and_leaves_no_model(bars: DataManager, tmp_path: Path) -> None:
    path = strategy_file(tmp_path, epochs=100_000, early_stopping=None)
    in_epochs = threading.Event()

    def hear(state: ProgressState) -> None:
        if state.context.get("current_batch"):
            in_epochs.set()

    async def main() -> None:
        async with TrainingManager(bars, tmp_path / "models", env={}) as training:
            operation = training.train_multi_symbol_strategy(path, progress_callback=hear)
            task = asyncio.ensure_future(wait(operation))
            await asyncio.to_thread(in_epochs.wait, 60)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert operation.status == "cancelled"
            with pytest.raises(errors.OperationCancelledError):
                await operation

    asyncio.run(main())
    assert not models_in(tmp_path / "models")


@pytest.mark.parametrize("step", [1, 2])
def test_a_training_cancelled_early_stops_too(bars: DataManager, tmp_path: Path, step: int) -> None:
    async def main() -> None:
        async with TrainingManager(bars, tmp_path / "models", env={}) as training:
            operation = training.train_multi_symbol_strategy(strategy_file(tmp_path))
            async for state in operation.events():
                # A step that was over before anybody listened is not heard of.
                if state.current_step >= step:
                    break
            operation.cancel("enough")
            with pytest.raises(errors.OperationCancelledError, match="enough"):
                await operation

    asyncio.run(main())
    assert not models_in(tmp_path / "models")


def test_too_few_bars_is_an_error_with_numbers(bars: DataManager, tmp_path: Path) -> None:
    with TrainingManager(bars, tmp_path / "models", env={}) as training:
        operation = training.train_multi_symbol_strategy(
            EXAMPLE, start_date="2005-01-01", end_date="2005-02-01"
        )
        with pytest.raises(errors.NotEnoughDataError, match=r"AAPL.*\d+"):
            operation.result(60)


@pytest.mark.parametrize("split", [0.0, 1.0, -0.5, float("nan")])
def test_a_validation_split_out_of_range_is_refused(
    bars: DataManager, tmp_path: Path, split: float
) -> None:
    with TrainingManager(bars, tmp_path / "models", env={}) as training:
        with pytest.raises(errors.InvalidArgumentError, match="validation_split"):
            training.train_multi_symbol_strategy(EXAMPLE, validation_split=split)


def test_without_torch_the_message_names_the_extra(
    bars: DataManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WithoutTorch:
        """A finder as it is where torch is not installed."""

        def __init__(self, finder: Any) -> None:
            self._finder = finder

        def find_spec(self, name: str, *rest: Any) -> Any:
            return None if name == "torch" else self._finder.find_spec(name, *rest)

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    finders = [WithoutTorch(f) for f in sys.meta_path if hasattr(f, "find_spec")]
    monkeypatch.setattr(sys, "meta_path", finders)
    with TrainingManager(bars, tmp_path / "models", env={}) as training:
        with pytest.raises(errors.FeatureNotAvailableError, match=r"ktrdr-core\[train\]"):
            training.train_multi_symbol_strategy(EXAMPLE)


async def wait(operation: Operation[Any]) -> Any:
    return await operation
