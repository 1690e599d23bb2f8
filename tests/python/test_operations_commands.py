"""`ktrdr-core operations`: what there is, what is known of one, and a cancel from another process."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

from child import child
from commands import COMMAND, environment, loading, only_value, run
from ktrdr_core import OperationsService
from ktrdr_core.cli.operations_commands import _STATES
from ktrdr_core.fastapi.answers import State
from ktrdr_core.hosts.child import HostProcess

STATUS = Path(__file__).parents[2] / "cpp" / "operations" / "src" / "status.cpp"


def test_operations_are_listed_and_shown(stored: Path) -> None:
    place = ["--data-dir", stored]
    listed = json.loads(run("operations", "list", *place, "--json").stdout)
    assert listed["total_count"] >= 1
    newest = listed["operations"][-1]
    assert (newest["operation_type"], newest["status"]) == ("data_load", "completed")
    text = run("operations", "list", *place).stdout
    assert newest["operation_id"] in text
    assert "data load AAPL 1d" in text
    shown = run("operations", "show", f" {newest['operation_id']} ", *place).stdout
    assert "completed, 100 %" in shown
    assert "symbol AAPL" in shown
    assert "--start 2001-01-01" in shown
    whole = json.loads(run("operations", "show", newest["operation_id"], *place, "--json").stdout)
    assert whole["parameters"]["symbol"] == "AAPL"
    none = json.loads(run("operations", "list", *place, "--active", "--json").stdout)
    assert none["operations"] == []
    failed = run("operations", "list", *place, "--status", "failed", "--type", "training")
    assert failed.returncode == 0
    assert run("operations", "list", *place, "--status", "gone").returncode == 2


def test_every_state_may_be_asked_for_here_and_over_http() -> None:
    states = set(re.findall(r'case \w+: return "(\w+)"', STATUS.read_text()))
    assert len(states) > 5
    assert set(_STATES) == set(get_args(State)) == states


def test_an_operation_of_another_process_is_cancelled(tmp_path: Path) -> None:
    with HostProcess(delay=0, gate=True) as gated:
        load = [*COMMAND, *loading(gated, tmp_path, "--json")]
        with child(load, env=environment()) as process:
            gated.wait(held=1)
            place = ["--data-dir", tmp_path]
            [running] = json.loads(run("operations", "list", *place, "--active", "--json").stdout)[
                "operations"
            ]
            assert running["status"] == "running"
            cancel = ["operations", "cancel", running["operation_id"], *place]
            done = run(*cancel, "--reason", "enough for today")
            assert (done.returncode, "is asked to stop" in done.stdout) == (0, True), done.stderr
            out, _ = process.communicate(timeout=60)
            assert process.returncode == 130
            assert only_value(out)["error"]["code"] == "cancelled"
        ended = run(*cancel)
        assert (ended.returncode, "error: " in ended.stderr) == (1, True)
    record = OperationsService(tmp_path / "ktrdr.db", default=False).get(running["operation_id"])
    assert record.status == "cancelled"
    assert record.reason is not None
    assert record.reason.text == "enough for today"
