"""The demonstration, with a shorter training, and stopped in the middle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

import ktrdr_core
from ktrdr_core.cli import demo
from ktrdr_core.cli.app import cli
from ktrdr_core.hosts.child import HostProcess
from pty_command import PtyCommand

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run ``ktrdr-core demo`` with three epochs in an empty working directory."""
    strategy: dict[str, Any] = yaml.safe_load(demo.strategy_path().read_text())
    strategy["model"]["training"]["epochs"] = 3
    short = tmp_path / "short.yaml"
    short.write_text(yaml.safe_dump(strategy, sort_keys=False))
    monkeypatch.setattr(demo, "strategy_path", lambda: short)
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["demo", "--delay", "0", *arguments])

    return invoke


def test_it_loads_trains_and_reports(run: Callable[..., Result], tmp_path: Path) -> None:
    done = run()
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line[:4] for line in lines if line[1:4] == "/5 "] == [f"{n}/5 " for n in range(1, 6)]
    assert "nothing was asked of the service: every bar came from the database" in lines
    words = [line for line in lines[lines.index("5/5 report") :] if line[:1].islower()]
    report = {line.split()[0]: line for line in words}
    assert report["bars"].startswith("bars       6,540 in")
    assert report["again"] == "again      6,540 in 0 requests"
    assert "3 epochs" in report["trained"]
    assert "always saying the most frequent class" in report["test"]
    folder = tmp_path / "ktrdr-demo"
    assert (folder / "ktrdr.db").is_file()
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")
    assert (Path(report["model"].split(maxsplit=1)[1]) / "model.safetensors").is_file()
    assert report["strategy"] == "strategy   momentum_mlp"
    assert report["symbols"] == "symbols    AAPL, MSFT; 1d"
    assert report["dates"] == "dates      2000-03-01 to 2013-03-01, 6,540 bars"
    assert report["rows"] == "rows       4,512 to train, 960 to validate, 970 to test"
    code = lines[
        lines.index(
            "The same in Python, after `from ktrdr_core import DataManager, TrainingManager`:"
        ) :
    ]
    _runs([line.strip() for line in code if line.startswith("    ")])


def test_its_strategy_stops_by_itself_at_what_it_learnt(tmp_path: Path) -> None:
    """With steps a hundred times larger, so that it takes a second: it is the patience that ends it, not the bound."""
    strategy: dict[str, Any] = yaml.safe_load(demo.strategy_path().read_text())
    training = strategy["model"]["training"]
    assert training["early_stopping"]["patience"] <= 20
    training["learning_rate"] *= 100
    quick = tmp_path / "quick.yaml"
    quick.write_text(yaml.safe_dump(strategy, sort_keys=False))
    with (
        HostProcess(delay=0) as host,
        ktrdr_core.DataManager(tmp_path, host.url, env={}) as data,
        ktrdr_core.TrainingManager(data, tmp_path / "models") as trainings,
    ):
        for symbol in demo.SYMBOLS:
            data.load_data(symbol, "1d", demo.START, demo.END, "full").result(60)
        result = trainings.train_multi_symbol_strategy(quick).result(120)
    metrics = result["training_metrics"]
    assert metrics["early_stopped"]
    assert metrics["epochs_completed"] < training["epochs"] / 4
    assert metrics["epochs_completed"] == metrics["best_epoch"] + 20


def _runs(lines: list[str]) -> None:
    """The three lines of Python that the report prints work as they stand."""
    assert len(lines) == 3
    names: dict[str, Any] = {
        "DataManager": ktrdr_core.DataManager,
        "TrainingManager": ktrdr_core.TrainingManager,
    }
    exec("\n".join(lines), names)
    names["data"].close()
    assert len(names["bars"]) == 3270
    assert names["result"]["training_metrics"]["epochs_completed"] == 3


def test_a_second_run_asks_for_nothing(run: Callable[..., Result]) -> None:
    first = json.loads(run("--json", "--dir", "there", "--progress", "none").stdout)
    second = json.loads(run("--json", "--dir", "there", "--progress", "none").stdout)
    assert first["first_load"]["bars"] == {"AAPL 1d": 3270, "MSFT 1d": 3270}
    assert first["first_load"]["requests"] > 0
    assert second["first_load"]["requests"] == 0
    assert second["first_load"]["bars"] == first["first_load"]["bars"]
    weights = [
        (Path(run["training"]["artifacts"]["model_path"]) / "model.safetensors").read_bytes()
        for run in (first, second)
    ]
    assert weights[0] == weights[1]


def test_a_file_in_place_of_the_folder_is_one_clear_message(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    done = run("--dir", "taken")
    assert done.exit_code == 1
    assert done.stderr.count("error: ") == 1
    assert "taken" in done.stderr


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None if name == "matplotlib" else name)
    with pytest.raises(ktrdr_core.errors.FeatureNotAvailableError, match=r"matplotlib.*\[demo\]"):
        demo.check_installed()


@pytest.mark.parametrize(("delay", "moment"), [("60", r"\[0/(\d)\]"), ("0", r"epoch (\d)")])
def test_ctrl_c_stops_it_in_the_middle(tmp_path: Path, delay: str, moment: str) -> None:
    """In a load that is held by its delay, and in the training; the next run goes on from there."""
    command = PtyCommand("demo", "--dir", tmp_path / "demo", "--delay", delay)
    command.wait_for(moment)
    command.press_ctrl_c()
    assert command.status() == 130, command.text
    assert "cancelling…" in command.text
    assert "Traceback" not in command.text
    kept = [file for file in tmp_path.rglob("*.safetensors") if ".checkpoints" not in file.parts]
    assert not kept
    with ktrdr_core.DataManager(tmp_path / "demo", env={}) as data:
        stored = len(data.load_data("AAPL", "1d").result(60))
    assert stored == (0 if delay == "60" else 3270)
