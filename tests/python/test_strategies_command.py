"""``ktrdr-core strategies``: files checked, listed and described, for people and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from ktrdr_core.cli.app import cli
from ktrdr_core.strategies import schema
from test_strategies import EXAMPLES, SMALL

if TYPE_CHECKING:
    from pathlib import Path

RUNNER = CliRunner()


def test_a_file_that_can_be_trained_is_told_with_what_a_training_sees(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    done = RUNNER.invoke(cli, ["strategies", "validate", str(file)])
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{file}  small  AAPL  1d  2 features  1,503 parameters\n"
    done = RUNNER.invoke(cli, ["strategies", "validate", str(file), "--json"])
    (answer,) = json.loads(done.stdout)
    assert answer["problems"] == []
    assert answer["strategy"]["features"] == ["1d_rsi_14_low", "1d_macd_histogram_up"]


def test_all_that_is_wrong_is_told_with_line_path_and_suggestion(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(SMALL, encoding="utf-8")
    text = SMALL.replace("period: 14", "perod: 14").replace("epochs: 3", "epochs: 0")
    bad.write_text(text, encoding="utf-8")
    done = RUNNER.invoke(cli, ["strategies", "validate", str(good), str(bad)])
    assert done.exit_code == 1
    assert done.stdout.startswith(str(good))
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"error: {bad}:17:5: model.training.epochs: must be a whole number")
    assert lines[-1] == "error: 1 problem in 1 of 2 files"
    bad.write_text(SMALL.replace("period: 14", "perod: 14"), encoding="utf-8")
    done = RUNNER.invoke(cli, ["strategies", "validate", str(bad), "--json"])
    assert done.exit_code == 1
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "strategy"
    ((found,),) = [one["problems"] for one in error["context"]["files"]]
    assert (found["line"], found["column"], found["path"], found["suggestion"]) == (
        8,
        5,
        "indicators[0].perod",
        "period",
    )


def test_a_file_that_is_not_there_is_a_problem_and_none_is_wrong_usage() -> None:
    done = RUNNER.invoke(cli, ["strategies", "validate", "nowhere.yaml"])
    assert done.exit_code == 1
    assert "nowhere.yaml: there is no such strategy file" in done.stderr
    assert "`ktrdr-core strategies list" in done.stderr
    assert RUNNER.invoke(cli, ["strategies", "validate"]).exit_code == 2


def test_a_folder_is_listed_with_what_is_wrong_in_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "small.yml").write_text(SMALL, encoding="utf-8")
    (tmp_path / "broken.yaml").write_text("name: [", encoding="utf-8")
    (tmp_path / "words.txt").write_text("no strategy", encoding="utf-8")
    done = RUNNER.invoke(cli, ["strategies", "list", str(tmp_path)])
    assert done.exit_code == 0, done.output
    first, second = done.stdout.splitlines()
    assert first.split() == [str(tmp_path / "broken.yaml"), "1", "problem"]
    assert second.split()[:4] == [str(tmp_path / "sub" / "small.yml"), "small", "AAPL", "1d"]
    done = RUNNER.invoke(cli, ["strategies", "list", str(tmp_path), "--json"])
    assert [len(one["problems"]) for one in json.loads(done.stdout)] == [1, 0]
    assert RUNNER.invoke(cli, ["strategies", "list", str(tmp_path / "no")]).exit_code == 1


def test_a_folder_in_which_all_is_wrong_is_listed(tmp_path: Path) -> None:
    for name in ("a.yaml", "longer.yaml"):
        (tmp_path / name).write_text("name: [", encoding="utf-8")
    done = RUNNER.invoke(cli, ["strategies", "list", str(tmp_path)])
    assert done.exit_code == 0, done.output
    first, second = done.stdout.splitlines()
    assert first.split() == [str(tmp_path / "a.yaml"), "1", "problem"]
    assert first.index("1 problem") == second.index("1 problem")


def test_the_examples_are_listed() -> None:
    done = RUNNER.invoke(cli, ["strategies", "list", str(EXAMPLES), "--json"])
    listed = json.loads(done.stdout)
    assert len(listed) >= 6
    assert all(one["strategy"]["features"] for one in listed)


def test_the_schema_is_printed_as_it_is() -> None:
    done = RUNNER.invoke(cli, ["strategies", "schema"])
    assert json.loads(done.stdout) == schema()
    assert json.loads(RUNNER.invoke(cli, ["strategies", "schema", "--json"]).stdout) == schema()
