"""Sweeps: the same runs here, in threads and in spawned processes; cancelled, failing, killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

import soak
from child import child
from commands import COMMAND, environment, only_value
from commands import run as command
from ktrdr_core import DataManager, OperationsService, TrainingManager, errors, sweep
from ktrdr_core.sweeps import RayExecutor, combinations, random_sample, workers
from ktrdr_core.sweeps.folders import own_folder, remove_leftovers
from models_made import STRATEGY, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ktrdr_core import ProgressState

SEED, RATE = "model.training.seed", "model.training.learning_rate"
EPOCHS = "model.training.epochs"
GRID: dict[str, list[Any]] = {RATE: [0.01, 0.003], SEED: [1, 2]}
LONG = {EPOCHS: [100_000], SEED: [1, 2, 3]}


@pytest.fixture(scope="module")
def strategy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweeps") / "small.yaml"
    path.write_text(yaml.safe_dump(STRATEGY, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataManager]:
    with DataManager(tmp_path_factory.mktemp("bars"), env={}) as data:
        data.store("WALK", "1d", walk()).result(60)
        yield data


@pytest.fixture
def training(data: DataManager, tmp_path: Path) -> Iterator[TrainingManager]:
    with TrainingManager(data, tmp_path / "models", env={}) as training:
        yield training


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with spawned(2) as pool:
        yield pool


def spawned(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def trains_the_first(told: str) -> bool:
    """Whether progress says that the first run has come to its epochs."""
    return re.search("run 1: [1-9]", told) is not None


def found(table: Any) -> list[tuple[Any, ...]]:
    """What each run came to, to the last bit."""
    assert [row["status"] for row in table] == ["completed"] * len(table), list(table)
    return [
        (
            row["settings"],
            row["metrics"],
            (Path(row["model_path"]) / "model.safetensors").read_bytes(),
        )
        for row in table
    ]


def test_here_in_threads_and_in_processes_the_same_seeds_give_the_same_bits(
    strategy: Path, training: TrainingManager, processes: ProcessPoolExecutor
) -> None:
    def run(executor: Executor | None) -> list[tuple[Any, ...]]:
        return found(sweep(GRID, executor, strategy=strategy, training=training).result(120))

    here = run(None)
    with ThreadPoolExecutor(2) as threads:
        assert run(threads) == here
    assert run(processes) == here
    assert len({weights for _, _, weights in here}) == 4


@pytest.mark.parametrize("at_once", [1, 4])
def test_runs_that_learn_otherwise_from_the_same_bars_have_their_rows_prepared_once(
    strategy: Path, training: TrainingManager, at_once: int
) -> None:
    grid: dict[str, list[Any]] = {RATE: [0.01, 0.003, 0.001, 0.0003]}
    operation = sweep(grid, strategy=strategy, training=training, at_once=at_once)
    shared = found(operation.result(120))
    operations = OperationsService()

    def has_prepared(run: str) -> bool:
        told = [event.data["message"] for event in operations.events(run, kind="log")]
        return "learns from rows that another training has prepared" not in told

    children = operations.list(parent_id=operation.id).records
    assert [has_prepared(run.id) for run in children].count(True) == 1
    # To the bit as one that has prepared its own.
    alone = sweep({RATE: [0.001]}, strategy=strategy, training=training).result(120)
    assert found(alone) == [run for run in shared if run[0] == {RATE: 0.001}]
    # Of other features are other rows.
    lags = {"model.features.lookback_periods": [2, 3]}
    other = sweep(lags, strategy=strategy, training=training, at_once=at_once)
    other.result(120)
    runs = operations.list(parent_id=other.id).records
    assert [has_prepared(run.id) for run in runs] == [True, True]


def test_progress_counts_the_runs_that_ended_and_says_where_the_others_are(
    strategy: Path, training: TrainingManager
) -> None:
    states: list[ProgressState] = []
    operation = sweep(
        {**GRID, EPOCHS: [1000]},
        strategy=strategy,
        training=training,
        at_once=2,
        progress_callback=states.append,
    )
    operation.result(120)
    percentages = [state.percentage for state in states]
    assert percentages == sorted(percentages)
    assert percentages[-1] == 100
    said = [state.message for state in states]
    assert any("of 4 runs have ended, run " in message for message in said), said
    children = OperationsService().list(parent_id=operation.id).records
    assert {record.type for record in children} == {"training"}
    assert len(children) == 4


@pytest.mark.parametrize("place", ["here", "threads", "processes"])
def test_a_cancel_ends_every_run_wherever_it_trains(
    strategy: Path, training: TrainingManager, processes: ProcessPoolExecutor, place: str
) -> None:
    with ThreadPoolExecutor(2) as threads:
        executor = {"here": None, "threads": threads, "processes": processes}[place]
        in_epochs = threading.Event()

        def hear(state: ProgressState) -> None:
            if trains_the_first(state.message):
                in_epochs.set()
                operation.cancel("enough")

        operation = sweep(
            LONG, executor, strategy=strategy, training=training, progress_callback=hear
        )
        with pytest.raises(errors.OperationCancelledError, match="enough"):
            operation.result(60)
        assert in_epochs.is_set()
        children = OperationsService().list(parent_id=operation.id).records
        assert children
        assert {record.status for record in children} == {"cancelled"}
        # Its workers are free again: what they did has ended, and not only been left.
        after = sweep({EPOCHS: [1, 2]}, executor, strategy=strategy, training=training)
        assert len(found(after.result(60))) == 2
    for thread in threading.enumerate():
        if thread.name == "ktrdr-sweep":
            thread.join(10)
            assert not thread.is_alive()


def test_a_run_that_fails_is_a_row_and_the_others_go_on(
    strategy: Path, training: TrainingManager, processes: ProcessPoolExecutor
) -> None:
    # So many bars ahead are more than there are.
    grid = {"training.labels.label_lookahead": [3, 890, 5]}
    for executor in (None, processes):
        table = sweep(grid, executor, strategy=strategy, training=training).result(120)
        assert [row["status"] for row in table] == ["completed", "failed", "completed"]
        assert "WALK" in list(table)[1]["error"]["message"]
        assert table.best()["run"] in (1, 3)
        json.dumps(table.to_json(), allow_nan=False)


def test_asked_to_the_first_failure_ends_the_others(
    strategy: Path, training: TrainingManager
) -> None:
    grid = [{"training.labels.label_lookahead": 890}, {EPOCHS: 100_000}, {EPOCHS: 100_000}]
    table = sweep(
        grid, strategy=strategy, training=training, at_once=2, stop_on_failure=True
    ).result(120)
    first, *others = [row["status"] for row in table]
    assert first == "failed"
    assert set(others) <= {"cancelled", "not_started"}


def worker_of(sweep_id: str, number: int) -> int:
    """The process in which a run trains."""
    records = OperationsService().list(parent_id=sweep_id).records
    (run,) = [record for record in records if record.name == f"run {number}"]
    return int(OperationsService().metrics(run.id).metrics[0]["worker_pid"])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_worker_fails_its_run_alone(
    strategy: Path, training: TrainingManager, workers: int
) -> None:
    killed = False
    grid = [{EPOCHS: 100_000}, {EPOCHS: 3}, {EPOCHS: 2}]
    with spawned(workers) as pool:

        def hear(state: ProgressState) -> None:
            nonlocal killed
            if not killed and trains_the_first(state.message):
                killed = True
                os.kill(worker_of(operation.id, 1), signal.SIGKILL)

        operation = sweep(grid, pool, strategy=strategy, training=training, progress_callback=hear)
        table = operation.result(120)
    assert [row["status"] for row in table] == ["failed", "completed", "completed"]
    assert "worker process died" in next(iter(table))["error"]["message"]
    assert any("run 1 died" in warning for warning in operation.warnings)


KILLED = """
import multiprocessing, re, sys
from concurrent.futures import ProcessPoolExecutor
from ktrdr_core import DataManager, TrainingManager, sweep

if __name__ == "__main__":
    pool = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))
    def hear(state):
        if re.search("run 1: [1-9].*run 2: [1-9]", state.message):
            print(*pool._processes, flush=True)
    with DataManager(sys.argv[1]) as data, TrainingManager(data, sys.argv[2]) as training:
        grid = {"model.training.epochs": [100_000, 200_000]}
        sweep(grid, pool, strategy=sys.argv[3], training=training, at_once=2, progress_callback=hear).result()
"""


class Refusing(ThreadPoolExecutor):
    """Takes so many runs, and raises at the next."""

    def __init__(self, good: int, error: type[Exception]) -> None:
        super().__init__(1)
        self._good, self._error = good, error

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        if self._good == 0:
            raise self._error("no more")
        self._good -= 1
        return super().submit(*args, **kwargs)


@pytest.mark.parametrize("error", [RuntimeError, TypeError, OSError, KeyError])
def test_an_executor_that_takes_no_more_leaves_the_rest_to_this_process(
    error: type[Exception], strategy: Path, training: TrainingManager
) -> None:
    with Refusing(1, error) as executor:
        operation = sweep(GRID, executor, strategy=strategy, training=training, at_once=4)
        assert len(found(operation.result(120))) == 4
    assert "takes no more runs" in operation.warnings[0]
    assert OperationsService().list(active_only=True).total_count == 0


class Dropping(ThreadPoolExecutor):
    """Cancels each second future, as ``shutdown(cancel_futures=True)`` does."""

    def __init__(self) -> None:
        super().__init__(1)
        self._number = 0

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        self._number += 1
        if self._number % 2:
            return super().submit(*args, **kwargs)
        dropped: Future[Any] = Future()
        dropped.cancel()
        return dropped


def test_a_run_that_its_executor_drops_begins_anew_here(
    strategy: Path, training: TrainingManager
) -> None:
    with Dropping() as executor:
        operation = sweep(GRID, executor, strategy=strategy, training=training, at_once=2)
        assert len(found(operation.result(120))) == 4
    assert any("begins anew here" in warning for warning in operation.warnings)


def test_workers_end_with_the_process_that_they_work_for(
    strategy: Path, data: DataManager, tmp_path: Path
) -> None:
    (tmp_path / "killed.py").write_text(KILLED)
    arguments = [data.database_path.parent, tmp_path / "models", strategy]
    with child([sys.executable, tmp_path / "killed.py", *arguments]) as process:
        assert process.stdout is not None
        workers = [os.pidfd_open(int(pid)) for pid in process.stdout.readline().split()]
        process.kill()
    assert len(workers) == 2
    for worker in workers:
        # Readable once the process has ended.
        assert select.select([worker], [], [], 30)[0]
        os.close(worker)


def test_the_folder_of_a_killed_sweep_goes_when_the_next_one_begins(
    strategy: Path, training: TrainingManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Short: a socket's name has little room.
    with tempfile.TemporaryDirectory(prefix="k") as place:
        monkeypatch.setattr(tempfile, "tempdir", place)
        holder = "import sys, tempfile; from ktrdr_core.sweeps.folders import own_folder\n"
        holder += "tempfile.tempdir = sys.argv[1]\n"
        holder += "with own_folder() as folder:\n    print(folder, flush=True); sys.stdin.read()"
        with child(
            [sys.executable, "-c", holder, place],
            stdin=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            left = Path(process.stdout.readline().strip())
            with socket.socket(socket.AF_UNIX) as door:
                door.bind(str(left / "s"))
            remove_leftovers()
            assert (left / "s").is_socket(), "its process lives"
            process.kill()
        foreign = Path(place, "ktrdr-sweep-mine")
        foreign.mkdir()
        (foreign / "notes").write_text("kept")
        Path(place, "ktrdr-sweep-link").symlink_to(tmp_path)
        sweep({SEED: [1]}, strategy=strategy, training=training).result(60)
        assert not left.exists()
        assert (foreign / "notes").read_text() == "kept"
        assert Path(place, "ktrdr-sweep-link").is_symlink()


def test_two_sweeps_take_no_folder_from_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="k") as place:
        monkeypatch.setattr(tempfile, "tempdir", place)
        made = tempfile.mkdtemp
        found_first = [True, False]

        def found(**asked: Any) -> str:
            folder: str = made(**asked)
            if found_first.pop(0):
                remove_leftovers()
            return folder

        monkeypatch.setattr(tempfile, "mkdtemp", found)
        with own_folder() as folder:
            assert list(Path(place).iterdir()) == [folder]
        assert not list(Path(place).iterdir())


def test_a_worker_that_was_stopped_is_killed_some_time_after_a_cancel(
    strategy: Path, training: TrainingManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PATIENCE", 0.2)
    with spawned(1) as pool:

        def hear(state: ProgressState) -> None:
            if trains_the_first(state.message) and not operation.token.is_cancelled():
                os.kill(worker_of(operation.id, 1), signal.SIGSTOP)
                operation.cancel("enough")

        operation = sweep(LONG, pool, strategy=strategy, training=training, progress_callback=hear)
        with pytest.raises(errors.OperationCancelledError, match="enough"):
            operation.result(60)
    assert any("did not stop within 0.2 s" in warning for warning in operation.warnings)


def test_a_local_cluster_of_ray_gives_the_same_bits_and_stops(
    strategy: Path, training: TrainingManager
) -> None:
    pytest.importorskip("ray")
    if not soak.count(0, 1):
        pytest.skip("a local cluster takes half a minute to come and go: with the full counts")
    here = found(sweep({SEED: [1, 2]}, strategy=strategy, training=training).result(120))
    states: list[ProgressState] = []
    with RayExecutor(2) as ray:
        table = sweep({SEED: [1, 2]}, ray, strategy=strategy, training=training).result(120)
        assert found(table) == here

        def hear(state: ProgressState) -> None:
            states.append(state)
            if trains_the_first(state.message):
                operation.cancel("enough")

        operation = sweep(LONG, ray, strategy=strategy, training=training, progress_callback=hear)
        with pytest.raises(errors.OperationCancelledError, match="enough"):
            operation.result(60)
        after = sweep({EPOCHS: [1, 2]}, ray, strategy=strategy, training=training)
        assert len(found(after.result(60))) == 2
    with pytest.raises(errors.ClientClosedError, match="shut down"):
        ray.submit(len, "")


@pytest.mark.parametrize("workers", [0, 2])
def test_the_command_prints_the_table(
    strategy: Path, data: DataManager, tmp_path: Path, workers: int
) -> None:
    place = ["--data-dir", data.database_path.parent, "--models-dir", tmp_path]
    asked = ["sweep", strategy, "--set", f"{SEED}=1,2", "--workers", workers, *place]
    layers = ["--set", "model.architecture.hidden_layers=[4],[6, 4]"]
    done = command(*asked, *layers)
    assert done.returncode == 0, done.stderr
    head, *rows, last = done.stdout.splitlines()
    assert head.split()[:3] == ["run", SEED, "model.architecture.hidden_layers"]
    assert len(rows) == 4
    assert last.startswith("best on validation: run ")
    told = only_value(command(*asked, "--json").stdout)
    assert [row["settings"] for row in told["runs"]] == [{SEED: 1}, {SEED: 2}]
    assert told["best"] in (1, 2)


def test_the_command_refuses_what_cannot_be(
    strategy: Path, data: DataManager, tmp_path: Path
) -> None:
    place = ["--data-dir", data.database_path.parent, "--models-dir", tmp_path]
    for words, status, said in (
        (["modle.training.seed=1"], 1, "did you mean 'model'"),
        ([SEED], 2, "KEY=VALUE"),
        ([f"{SEED}=[1"], 2, "--set"),
        (["training.labels.label_lookahead=890"], 1, "none of 1 runs completed"),
    ):
        done = command("sweep", strategy, "--set", *words, *place)
        assert (done.returncode, said in done.stderr) == (status, True), done.stderr
    nowhere = ["--data-dir", tmp_path / "nowhere"]
    done = command("sweep", strategy, "--set", f"{SEED}=1", *nowhere)
    assert done.returncode != 0
    assert "ktrdr-core data load WALK 1d" in done.stderr


@pytest.mark.parametrize("workers", [0, 1])
def test_an_interrupt_ends_the_command_with_130(
    strategy: Path, data: DataManager, tmp_path: Path, workers: int
) -> None:
    place = ["--data-dir", data.database_path.parent, "--models-dir", tmp_path]
    asked = ["sweep", strategy, "--set", f"{EPOCHS}=100000,200000", "--workers", workers, *place]
    with child(
        [*COMMAND, *map(str, asked), "--progress", "plain"],
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if trains_the_first(line):
                break
        # As a terminal does: to all of them.
        os.killpg(process.pid, signal.SIGINT)
        _, rest = process.communicate(timeout=60)
    assert process.returncode == 130, rest
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"model.training.learning_rat": [1]}, "did you mean 'learning_rate'"),
        ({"modle.training.epochs": [1]}, "did you mean 'model'"),
        ({"indicators[7].period": [1]}, "no item 7"),
        ({"indicators[0].period.x": [1]}, "no keys"),
        ({RATE: [0.1, -1]}, "learning_rate"),
        ({RATE: "0.1"}, "needs a list"),
        ({RATE: []}, "needs a list"),
        ({}, "0 runs"),
        ([], "needs a list"),
        ([1], "mappings"),
        ({5: [1]}, "path of one in the strategy file"),
        ({SEED: range(101), EPOCHS: range(1, 101)}, "10100 runs"),
    ],
)
def test_a_wrong_grid_is_refused_before_any_run(
    strategy: Path, training: TrainingManager, grid: Any, message: str
) -> None:
    before = OperationsService().list().total_count
    with pytest.raises((errors.StrategyError, errors.InvalidArgumentError), match=message):
        sweep(grid, strategy=strategy, training=training)
    assert OperationsService().list().total_count == before


def test_numbers_of_numpy_are_numbers() -> None:
    grid = {
        SEED: list(np.arange(2)),
        RATE: list(np.logspace(-3, -2, 2)),
        "model.features.scale_features": [np.True_],
    }
    made = combinations(grid)
    assert made == [
        {SEED: seed, RATE: rate, "model.features.scale_features": True}
        for seed in (0, 1)
        for rate in (0.001, 0.01)
    ]
    assert {type(value) for one in made for value in one.values()} == {int, float, bool}
    assert combinations([{SEED: np.int64(3)}]) == [{SEED: 3}]
    layers, stopping = "model.architecture.hidden_layers", "model.training.early_stopping"
    deep: dict[str, Any] = {
        layers: [[np.int64(8), 4], (np.int32(3),), np.array([6, 2])],
        stopping: [{"patience": np.int64(3), "min_delta": np.float32(0.5)}],
    }
    made = combinations(deep)
    assert json.dumps([one[layers] for one in made]) == "[[8, 4], [3], [6, 2]]"
    assert json.dumps(made[0][stopping]) == '{"patience": 3, "min_delta": 0.5}'
    dates = [{"test_from": np.datetime64("2024-01-02")}]
    assert combinations(dates) == dates


@pytest.mark.parametrize("count", ["2", 2.0, True, None, 0, 4])
def test_a_number_of_runs_that_cannot_be_is_refused(count: Any) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="count must be"):
        random_sample({SEED: [1, 2, 3]}, count)


def test_the_same_seed_chooses_the_same_runs() -> None:
    space: dict[str, list[Any]] = {SEED: list(range(10)), RATE: [0.1, 0.2]}
    chosen = random_sample(space, 5, seed=4)
    assert chosen == random_sample(space, 5, seed=4) != random_sample(space, 5, seed=5)
    assert all(one in combinations(space) for one in chosen)
    assert len({json.dumps(one) for one in chosen}) == 5
    with pytest.raises(errors.InvalidArgumentError, match="from 1 to 20"):
        random_sample(space, 21)


def test_the_table_chooses_by_validation_and_never_by_test(
    strategy: Path, training: TrainingManager
) -> None:
    table = sweep({SEED: [1, 2]}, strategy=strategy, training=training).result(120)
    best = table.best()
    assert best["metrics"]["val_accuracy"] == max(r["metrics"]["val_accuracy"] for r in table)
    assert table.best("val_loss")["metrics"]["val_loss"] == min(
        r["metrics"]["val_loss"] for r in table
    )
    for by in ("test_accuracy", "test_loss"):
        with pytest.raises(errors.InvalidArgumentError, match="leak"):
            table.best(by)
    frame = table.to_pandas()
    assert list(frame.index) == [1, 2]
    assert list(frame[SEED]) == [1, 2]
    assert "<td>completed</td>" in table._repr_html_()
    assert table.lines()[0].startswith(f"run  {SEED}")
