"""Checks of many bars end when their token is cancelled, whoever's token it is."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from ktrdr_core import CancellationToken, DataManager, errors
from ktrdr_core.quality import check_quality, find_gaps, repair
from own_bars import columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ktrdr_core import Bars


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataManager]:
    with DataManager(tmp_path_factory.mktemp("bars"), env={}) as manager:
        manager.store("ACME", "1m", columns(200_000, "2023-01-01", "m")).result(60)
        yield manager


@pytest.fixture
def bars(data: DataManager) -> Bars:
    return data.load_data("ACME", "1m", validate=False).result(60)


class Others:
    """A token that is none of ours: cancelled from some question on."""

    def __init__(self, at: int) -> None:
        self.asked = 0
        self.at = at
        self.threads: set[int] = set()

    def is_cancelled(self) -> bool:
        self.asked += 1
        self.threads.add(threading.get_ident())
        return self.asked >= self.at


def works(data: DataManager, bars: Bars) -> dict[str, Callable[[Any], Any]]:
    report = check_quality(bars)
    return {
        "stored check": lambda token: data.check_quality("ACME", "1m", cancellation_token=token),
        "stored gaps": lambda token: data.find_gaps("ACME", "1m", cancellation_token=token),
        "stored repair": lambda token: data.repair("ACME", "1m", cancellation_token=token),
        "check": lambda token: check_quality(bars, cancellation_token=token),
        "gaps": lambda token: find_gaps(bars, cancellation_token=token),
        "repair": lambda token: repair(bars, report, cancellation_token=token),
    }


def test_each_check_ends_by_a_cancelled_token(data: DataManager, bars: Bars) -> None:
    token = CancellationToken()
    token.cancel("enough")
    for name, work in works(data, bars).items():
        with pytest.raises(errors.OperationCancelledError, match="enough"):
            work(token)
        with pytest.raises(errors.OperationCancelledError):
            work(Others(1))
        assert work(None) == work(CancellationToken()) == work(Others(10**9)), name


def test_what_is_no_token_is_refused(data: DataManager, bars: Bars) -> None:
    for work in works(data, bars).values():
        with pytest.raises(errors.InvalidArgumentError, match="cancellation_token"):
            work("stop")


def test_a_token_of_others_is_asked_while_the_work_holds_its_thread_up(
    data: DataManager, bars: Bars
) -> None:
    token = Others(2)

    def checks() -> None:
        for _ in range(10_000):
            data.check_quality("ACME", "1m", cancellation_token=token)

    with pytest.raises(errors.OperationCancelledError, match="caller's token"):
        checks()
    assert threading.get_ident() in token.threads
