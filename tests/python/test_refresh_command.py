"""`ktrdr-core data refresh`: what is stored is asked for anew, and what comes is taken."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from commands import run
from days_host import DaysHost, days_host
from ktrdr_core import DataManager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JANUARY = ("--start", "2024-01-01", "--end", "2024-01-31")
MONTHS = ("--start", "2024-01-01", "--end", "2024-02-29")


@pytest.fixture
def host() -> Iterator[DaysHost]:
    with days_host() as serving:
        yield serving


def ask(host: DaysHost, folder: Path, verb: str, *options: str) -> tuple[dict[str, object], str]:
    """What a command answers, and what it says beside that."""
    done = run(
        "data", verb, "DAYS", "1d", *options, "--ib-url", host.url, "--data-dir", folder, "--json"
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer, done.stderr


def test_a_series_of_which_the_history_was_rebased_is_healed(
    host: DaysHost, tmp_path: Path
) -> None:
    ask(host, tmp_path, "load", *JANUARY, "--mode", "full")
    with DataManager(tmp_path, env={}) as data:
        before = data.get_data("DAYS", "1d").close
    host.basis = 0.25
    _, told = ask(host, tmp_path, "load", *MONTHS, "--mode", "full")
    assert "re-based" in told
    host.asked.clear()
    _, told = ask(host, tmp_path, "refresh", *MONTHS)
    assert "re-based" not in told
    assert min(start for _, start, _ in host.asked) <= datetime.fromisoformat(
        "2024-01-01T00:00:00Z"
    )
    with DataManager(tmp_path, env={}) as data:
        close = data.get_data("DAYS", "1d").close
        assert len(close) == 60
        assert np.array_equal(close[:31], before / 4)
        assert np.array_equal(close[31:] * 4, before[-1] + 1 + np.arange(29))
        (change,) = data.changes("DAYS", "1d")
        assert (change.cause, change.revised, change.removed) == ("loaded", 31, 0)
        data.undo("DAYS", "1d")
        assert np.array_equal(data.get_data("DAYS", "1d").close[:31], before)


def test_what_did_not_change_is_asked_for_and_stays(host: DaysHost, tmp_path: Path) -> None:
    ask(host, tmp_path, "load", *JANUARY, "--mode", "full")
    host.asked.clear()
    ask(host, tmp_path, "load", *JANUARY, "--mode", "full")
    assert host.asked == []
    answer, _ = ask(host, tmp_path, "refresh", *JANUARY)
    assert len(host.asked) == 1
    assert answer["bars"] == 31
    with DataManager(tmp_path, env={}) as data:
        assert len(data.get_data("DAYS", "1d")) == 31
        assert data.changes("DAYS", "1d") == []
