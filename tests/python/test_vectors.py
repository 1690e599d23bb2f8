"""The vector files are what the plain Python reference computes."""

from __future__ import annotations

import importlib.util
import json
import pathlib
from typing import Any

import pytest

REFERENCE = pathlib.Path(__file__).with_name("indicator_reference.py")


def load_reference() -> Any:
    """Import the reference by path: the test folder is not a package."""
    spec = importlib.util.spec_from_file_location("indicator_reference", REFERENCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_indicator_vectors_are_those_of_the_reference() -> None:
    reference = load_reference()
    stored = json.loads(reference.VECTORS.read_text(encoding="utf-8"))
    computed = reference.vectors()
    assert stored["close"] == computed["close"]
    for kept, fresh in zip(stored["cases"], computed["cases"], strict=True):
        assert kept["params"] == fresh["params"]
        for kept_column, fresh_column in zip(kept["outputs"], fresh["outputs"], strict=True):
            assert kept_column == [
                None if value is None else pytest.approx(value, rel=1e-12) for value in fresh_column
            ]


def test_rsi_of_a_small_case_worked_by_hand() -> None:
    reference = load_reference()
    # Changes +1, -1, +2: means 0.5 and 0.5 -> 50; then 1.25 and 0.25 -> 83.33.
    assert reference.rsi([10, 11, 10, 12], 2) == [None, None, 50.0, pytest.approx(250 / 3)]
