"""The watch over native objects that a test leaves alive."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import held
from ktrdr_core import CancellationToken
from ktrdr_core.http import Client
from ktrdr_core.testing import Domain

if TYPE_CHECKING:
    from collections.abc import Callable


async def nothing() -> None:
    """Work that is done at once."""


def ended_operation() -> Any:
    async def main() -> Any:
        operation = Domain().start_operation("W", "w", nothing)
        await operation
        return operation

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (CancellationToken, "CancellationToken"),
        (lambda: Client("http://127.0.0.1:9"), "HttpClient"),
        (ended_operation, "Operation"),
    ],
)
def test_what_is_kept_is_named_and_what_is_let_go_is_not(
    make: Callable[[], Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held.native_objects()
    kept = make()
    with monkeypatch.context() as patch:
        patch.setattr(held, "limit", 0.0)
        assert held.left_alive(before)[name] == 1
    del kept
    assert held.left_alive(before) == {}


def test_a_cycle_is_collected_before_it_counts() -> None:
    before = held.native_objects()
    cycle: list[Any] = [CancellationToken()]
    cycle.append(cycle)
    del cycle
    assert held.left_alive(before) == {}


LEAKS = """
import held
from ktrdr_core import CancellationToken
KEPT = []
held.limit = 0.0
def test_that_keeps_one():
    KEPT.append(CancellationToken())
def test_that_keeps_none():
    CancellationToken().cancel("enough")
"""


def test_a_test_that_leaves_one_alive_fails_and_the_next_does_not(tmp_path: Path) -> None:
    file = tmp_path / "test_leaks.py"
    file.write_text(LEAKS)
    here = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "-p", "conftest", str(file)]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(here)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "2 passed, 1 error" in done.stdout, done.stdout
    assert "left alive: {'CancellationToken': 1}" in done.stdout
