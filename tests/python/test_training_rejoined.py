"""A client whose process died goes on with its session on a host: followed where it runs, fetched where it has ended."""

from __future__ import annotations

import random
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import soak
from child import child
from commands import environment
from ktrdr_core import DataManager, OperationsService, TrainingManager, errors
from training_hosts import ENDLESS, LIMIT, TrainingHost, store_bars, strategy_file, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ktrdr_core import Operation

#: Some ten seconds of training: a process that has died is missed within a second or two.
LONG: dict[str, Any] = {"epochs": 3000, "batch_size": 8, "early_stopping": None}
SHORT: dict[str, Any] = {"epochs": 1000, "batch_size": 8, "early_stopping": None}

#: Has a host train under an id, and says each epoch that it hears of.
TRAIN = """
import sys
from ktrdr_core import DataManager, TrainingManager
folder, models, strategy, url, operation_id = sys.argv[1:]
def hear(state):
    if state.epoch > 0:
        print(state.epoch, flush=True)
with DataManager(folder, env={}) as data, TrainingManager(data, models, training_url=url, env={}) as one:
    one.train_multi_symbol_strategy(
        strategy, operation_id=operation_id, random_walk_baseline=False, progress_callback=hear
    ).result()
"""

#: Goes on with it, and says each epoch that it hears of.
RESUME = """
import sys, time
from ktrdr_core import DataManager, OperationsService, TrainingManager
folder, models, url, operation_id = sys.argv[1:]
with DataManager(folder, env={}) as data, TrainingManager(data, models, training_url=url, env={}) as one:
    while OperationsService().get(operation_id).status != "interrupted":
        time.sleep(0.02)
    operation = OperationsService().resume(operation_id)
    while operation.progress.epoch == 0:
        time.sleep(0.02)
    print(operation.progress.epoch, flush=True)
    operation.result()
"""


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bars")
    store_bars(folder)
    return folder


def own(bars: Path, folder: Path) -> Path:
    """Bars of one host alone: its sessions are kept beside them."""
    return Path(shutil.copytree(bars, folder))


class Client:
    """A client of one host, in a process of its own or in this one; each finds what the other has left."""

    def __init__(self, folder: Path, host: TrainingHost) -> None:
        self.folder, self.host, self.models = folder, host, folder / "models"
        self.path = folder / "strategy.yaml"

    def dies(self, operation_id: str, **training: Any) -> None:
        """Begin a training in a process that is killed in some epoch of it."""
        strategy_file(self.folder, **training)
        places = (self.folder / "client", self.models, self.path)
        command = [sys.executable, "-c", TRAIN, *map(str, places), self.host.url, operation_id]
        with child(command, env=environment()) as process:
            assert process.stdout is not None
            for _ in range(random.randrange(1, 6)):
                assert process.stdout.readline().strip().isdigit()
            process.kill()
            process.wait()

    def state(self, operation_id: str) -> str:
        """Ask the host how a session stands."""
        with self.host.client() as http:
            return str(http.get(f"/training/status/{operation_id}").json()["operation_status"])

    def sessions(self) -> list[str]:
        """List all sessions that the host has."""
        with self.host.client() as http:
            listed = http.get("/training/sessions", params={"limit": 1000}).json()["sessions"]
        return [one["session_id"] for one in listed]


@pytest.fixture
def client(bars: Path, tmp_path: Path) -> Iterator[Client]:
    with TrainingHost(own(bars, tmp_path / "bars"), tmp_path / "there") as host:
        yield Client(tmp_path, host)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataManager]:
    """What the client's processes share: no bars, but their operations."""
    with DataManager(tmp_path / "client", env={}) as one:
        yield one


def on(client: Client, data: DataManager, url: str | None = None) -> TrainingManager:
    return TrainingManager(data, client.models, training_url=url or client.host.url, env={})


def is_interrupted(operation_id: str) -> bool:
    return OperationsService().get(operation_id).status == "interrupted"


def resumed(operation_id: str) -> Operation[dict[str, Any]]:
    until(partial(is_interrupted, operation_id))
    return OperationsService().resume(operation_id)


def epochs_of(operation_id: str) -> list[int]:
    rows = OperationsService().metrics(operation_id, limit=10_000).metrics
    return [int(row["epoch"]) for row in rows]


def is_brought_home(client: Client, operation: Operation[dict[str, Any]], epochs: int) -> None:
    """The result, the model, and every epoch once; of one session."""
    result = operation.result(LIMIT)
    assert result["training_metrics"]["epochs_completed"] == epochs
    assert epochs_of(operation.id) == list(range(1, epochs + 1))
    session = result["session_info"]
    assert (session["operation_id"], session["session_id"]) == (operation.id, operation.id)
    (there,) = (client.folder / "there").glob("*/*/model.safetensors")
    (here,) = client.models.glob("*/*/model.safetensors")
    assert Path(result["artifacts"]["model_path"]) == here.parent
    assert here.read_bytes() == there.read_bytes()
    assert client.sessions() == [operation.id]
    assert [each for each in operation.warnings if "in the store" not in each] == []


def test_a_session_that_still_runs_is_followed_to_its_end(
    client: Client, data: DataManager, tmp_path: Path
) -> None:
    name = f"runs-{tmp_path.name}"
    client.dies(name, **LONG)
    with on(client, data):
        operation = resumed(name)
        assert client.state(name) == "running"
        is_brought_home(client, operation, LONG["epochs"])


def test_a_session_that_has_ended_meanwhile_is_fetched(
    client: Client, data: DataManager, tmp_path: Path
) -> None:
    name = f"ended-{tmp_path.name}"
    client.dies(name, **SHORT)
    until(lambda: client.state(name) == "completed")
    with on(client, data):
        is_brought_home(client, resumed(name), SHORT["epochs"])


def test_clients_that_die_one_after_another_lose_nothing(
    client: Client, data: DataManager, tmp_path: Path
) -> None:
    """The second one is this process's, which is not killed but goes on from what two others have told."""
    name = f"again-{tmp_path.name}"
    client.dies(name, **LONG)
    places = (tmp_path / "client", client.models, client.host.url, name)
    for _ in range(soak.count(1, 5)):
        command = [sys.executable, "-c", RESUME, *map(str, places)]
        with child(command, env=environment()) as process:
            assert process.stdout is not None
            assert process.stdout.readline().strip().isdigit()
            process.kill()
            process.wait()
    with on(client, data):
        is_brought_home(client, resumed(name), LONG["epochs"])


def test_a_cancel_of_one_that_goes_on_stops_the_session(
    client: Client, data: DataManager, tmp_path: Path
) -> None:
    name = f"stopped-{tmp_path.name}"
    client.dies(name, **ENDLESS)
    with on(client, data):
        operation = resumed(name)
        until(lambda: operation.progress.epoch > 0)
        operation.cancel("enough")
        with pytest.raises(errors.OperationCancelledError):
            operation.result(LIMIT)
        assert client.state(name) == "cancelled"


def test_a_session_goes_on_nowhere_but_on_its_host(
    client: Client, data: DataManager, bars: Path, tmp_path: Path
) -> None:
    name = f"place-{tmp_path.name}"
    client.dies(name, **ENDLESS)
    with TrainingManager(data, client.models, env={}):
        until(partial(is_interrupted, name))
        with pytest.raises(errors.InvalidArgumentError, match=r"trains on this machine") as told:
            OperationsService().resume(name)
    assert f'training_url="{client.host.url}"' in told.value.message
    with (
        TrainingHost(own(bars, tmp_path / "others"), tmp_path / "other") as other,
        on(client, data, other.url),
    ):
        with pytest.raises(errors.InvalidArgumentError, match="begun a second time"):
            OperationsService().resume(name)
        with other.client() as http:
            assert http.get("/training/sessions").json()["sessions"] == []
    # It can go on all the same.
    assert is_interrupted(name)
    assert client.state(name) == "running"
