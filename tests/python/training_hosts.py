"""Training hosts for tests: stored bars, small strategies, the service as an app and as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import yaml

import ramp_source
from ktrdr_core import DataManager, TrainingManager
from ktrdr_core.hosts.training.app import create_app
from ktrdr_core.operations import OperationsService

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(__file__).parents[2] / "examples" / "strategies" / "momentum_mlp.yaml"
ENDED = {"completed", "failed", "stopped"}
#: Trains until somebody stops it.
ENDLESS: dict[str, Any] = {"epochs": 100_000, "early_stopping": None}
# Generous: the machine may be busy. Seconds.
LIMIT = 120.0


def store_bars(folder: Path, rows: int = 900) -> None:
    """Two symbols of daily bars that move by chance, in a data directory."""
    days = np.arange("2018-01-01", "2024-01-01", dtype="datetime64[D]")[:rows]
    with DataManager(folder, env={}) as data:
        for number, symbol in enumerate(("AAPL", "MSFT")):
            steps = np.random.default_rng(number).normal(0, 0.02, len(days))
            price = 100 * np.exp(np.cumsum(steps))
            columns = {"timestamp": days, "volume": np.ones(len(days))}
            columns |= dict.fromkeys(("open", "high", "low", "close"), price)
            data.store(symbol, "1d", columns).result(60)


def strategy(**training: Any) -> dict[str, Any]:
    """The example, small and quick, as the mapping of its file."""
    mapping: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    mapping["training_data"]["history_required"] = 0
    mapping["model"]["architecture"]["hidden_layers"] = [8]
    mapping["model"]["training"] |= {"epochs": 3, "learning_rate": 0.001, **training}
    return mapping


def strategy_file(folder: Path, **training: Any) -> Path:
    path = folder / "strategy.yaml"
    path.write_text(yaml.safe_dump(strategy(**training), sort_keys=False))
    return path


def start_body(session_id: str | None = None, **training: Any) -> dict[str, Any]:
    """What a client that knows only the contract's table sends."""
    return {
        "session_id": session_id,
        "model_configuration": {
            "strategy_config": strategy(**training),
            "symbols": ["AAPL", "MSFT"],
            "timeframes": ["1d"],
            "model_type": "mlp",
            "multi_symbol": True,
        },
        "training_configuration": {},
        "data_configuration": {},
    }


#: Looks again and again, as a client of the contract does.
until = partial(ramp_source.until, seconds=LIMIT)


class TableClient:
    """Reads what the contract's table names, and nothing else."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def ask(self, method: str, path: str, fields: str, body: Any = None) -> list[Any]:
        response = self.http.request(method, path, json=body)
        assert response.status_code == 200, response.text
        answer = response.json()
        return [answer[field] for field in fields.split()]

    def start(self, body: dict[str, Any]) -> str:
        session, status, message, gpu, minutes = self.ask(
            "POST",
            "/training/start",
            "session_id status message gpu_allocated estimated_duration_minutes",
            body,
        )
        assert (status, gpu) == ("started", False)
        assert message
        assert minutes is None or minutes >= 0
        return str(session)

    def status(self, session: str) -> dict[str, Any]:
        fields = "session_id status progress metrics gpu_usage start_time last_updated error"
        values = self.ask("GET", f"/training/status/{session}", fields)
        told = dict(zip(fields.split(), values, strict=True))
        assert told["session_id"] == session
        assert set(told["progress"]) >= {
            "epoch",
            "total_epochs",
            "batch",
            "total_batches",
            "progress_percent",
            "items_processed",
            "items_total",
            "message",
            "current_item",
        }
        return told

    def end(self, session: str) -> dict[str, Any]:
        until(lambda: str(self.status(session)["status"]).lower() in ENDED)
        return self.status(session)

    def training(self, session: str) -> None:
        """Wait until it is in its epochs."""
        until(lambda: self.status(session)["progress"]["epoch"] > 0)


@contextmanager
def app_of(data_dir: Path, models: Path, **options: Any) -> Iterator[Any]:
    """The service without a socket, over the bars of a folder."""
    from fastapi.testclient import TestClient

    with DataManager(data_dir, env={}) as data, TrainingManager(data, models, env={}) as training:
        app = create_app(
            training, data, OperationsService(data.database_path, default=False), models, **options
        )
        try:
            yield TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
        finally:
            OperationsService().cancel_all("the test is over")
            app.state.sessions.finish(30)


class TrainingHost:
    """``ktrdr-core serve training`` as a process of its own; it is gone when this is closed."""

    def __init__(self, data_dir: Path, models: Path, *more: str, port: int = 0) -> None:
        command = [sys.executable, "-m", "ktrdr_core", "serve", "training", "--port", str(port)]
        command += ["--data-dir", str(data_dir), "--models-dir", str(models), *more]
        env = {name: value for name, value in os.environ.items() if "HOST_SERVICE" not in name}
        self.process = subprocess.Popen(
            [*command, "--until-stdin-closes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        assert self.process.stdout is not None
        self.announced = self.process.stdout.readline()
        self.url = self.announced.split()[-1] if self.announced else ""

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=LIMIT)

    def training_ticks(self) -> int:
        """CPU time of its training threads so far, in ticks of the clock."""
        ticks = 0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
            if name.startswith("ktrdr-train"):
                fields = rest.split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> str:
        """End it as its owner does; what it said on standard error."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=LIMIT)
        return str(said)

    def __enter__(self) -> TrainingHost:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def events_of(response: httpx.Response) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Read server-sent events: number, kind, content."""
    number, kind = 0, ""
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            number = int(value)
        elif name == "event":
            kind = value
        elif name == "data":
            yield number, kind, json.loads(value)
