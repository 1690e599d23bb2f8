"""The options of `ktrdr-core data load` that say what becomes of the bars, and of which series they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from commands import run
from ktrdr_core import DataManager
from own_bars import columns

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Days of which one has a close far from the others, and a series of bids beside them."""
    frame = columns(60)
    frame["close"] = np.where(np.arange(60) == 30, 500.0, frame["close"])
    frame["high"] = np.maximum(frame["high"], frame["close"])
    with DataManager(tmp_path, env={}) as data:
        data.store("ACME", "1d", frame).result(60)
        data.store("ACME", "1d", columns(7), what_to_show="BID", session="extended").result(60)
    return tmp_path


def load(folder: Path, *options: str) -> tuple[int, str, str]:
    local = ("--mode", "local", "--data-dir", folder)
    done = run("data", "load", "ACME", "1d", *local, *options)
    return done.returncode, done.stdout, done.stderr


def test_what_is_odd_is_told_unless_nobody_wants_to_hear_it(folder: Path) -> None:
    usual = ("--what-to-show", "TRADES")
    status, out, told = load(folder, *usual)
    assert (status, "ACME 1d: 60 bars" in out) == (0, True), told
    assert "look at: 1 jump" in out + told
    status, out, told = load(folder, *usual, "--no-validate")
    assert (status, "look at" in out + told) == (0, False)


def test_bars_that_are_not_whole_fail_a_strict_load(folder: Path) -> None:
    status, _, told = load(folder, "--what-to-show", "TRADES", "--strict", "--start", "2023-06-01")
    assert status != 0
    assert "a strict load takes only bars that are sound and whole" in told


def test_which_series_is_meant_is_said_by_its_parts(folder: Path) -> None:
    status, out, told = load(folder, "--what-to-show", "BID", "--session", "extended")
    assert (status, "ACME 1d: 7 bars" in out) == (0, True), told
    status, _, told = load(folder, "--what-to-show", "GOSSIP")
    assert (status, "GOSSIP" in told) == (2, True)


def test_what_is_stored_is_asked_for_anew_of_a_service_only(folder: Path) -> None:
    status, _, told = load(folder, "--what-to-show", "TRADES", "--refresh")
    assert (status, "refresh" in told) == (2, True)
