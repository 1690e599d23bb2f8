"""`FakeSource`: loads without a server, as users of the package test their own code."""

from __future__ import annotations

import asyncio
import doctest
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ktrdr_core import DataManager, OperationsService, errors
from ktrdr_core.operations import context
from ktrdr_core.testing import FakeSource, fake_source

if TYPE_CHECKING:
    from pathlib import Path

YEAR: dict[str, Any] = {"start_date": "2023-01-01", "end_date": "2023-12-31", "mode": "full"}


def daily(start: str, end: str) -> dict[str, Any]:
    days = np.arange(start, end, dtype="datetime64[D]")
    price = np.arange(float(len(days)))
    return {"time": days, **dict.fromkeys(("open", "high", "low", "close", "volume"), price)}


@pytest.fixture
def source() -> FakeSource:
    return FakeSource({("AAPL", "1d"): daily("2020-01-01", "2024-01-01")})


def test_its_bars_are_loaded_and_stored(source: FakeSource, tmp_path: Path) -> None:
    with DataManager(tmp_path, source=source, env={}) as data:
        bars = data.load_data("AAPL", "1d", **YEAR).result(30)
        assert len(bars) == 365
        assert bars.close[0] == 1096.0
        assert bars.time[-1] == np.datetime64("2023-12-31")
        asked = source.fetches
        assert asked >= 1
        data.load_data("AAPL", "1d", **YEAR).result(30)
        assert source.fetches == asked
        assert data.adapter is None
        assert not data.is_using_host_service()
    with DataManager(tmp_path, env={}) as stored:
        assert len(stored.load_data("AAPL", "1d").result(30)) == 365


def test_it_is_asked_whatever_the_environment_says(source: FakeSource, tmp_path: Path) -> None:
    env = {"USE_IB_HOST_SERVICE": "true", "IB_HOST_SERVICE_URL": "http://127.0.0.1:9"}
    with DataManager(tmp_path, source=source, env=env) as data:
        assert len(data.load_data("AAPL", "1d", **YEAR).result(30)) == 365
        assert data.adapter is None


def test_a_symbol_it_was_not_given_is_unknown(source: FakeSource, tmp_path: Path) -> None:
    with DataManager(tmp_path, source=source, env={}) as data:
        with pytest.raises(errors.SymbolNotFoundError, match="MSFT"):
            data.load_data("MSFT", "1d", **YEAR).result(30)
        source.set_bars("MSFT", "1d", daily("2023-01-01", "2023-02-01"))
        assert len(data.load_data("MSFT", "1d", **YEAR).result(30)) == 31


def test_a_load_that_is_held_can_be_cancelled(source: FakeSource, tmp_path: Path) -> None:
    async def main() -> None:
        async with DataManager(tmp_path, source=source, env={}) as data:
            source.hold()
            operation = data.load_data("AAPL", "1d", **YEAR)
            await asyncio.to_thread(source.wait_until_held)
            assert operation.status == "running"
            operation.cancel("enough")
            with pytest.raises(errors.OperationCancelledError, match="enough"):
                await operation
            source.release()
            assert len(await data.load_data("AAPL", "1d", **YEAR)) == 365

    asyncio.run(main())


def test_a_load_that_is_held_goes_on_when_it_is_released(
    source: FakeSource, tmp_path: Path
) -> None:
    with DataManager(tmp_path, source=source, env={}) as data:
        source.hold()
        operation = data.load_data("AAPL", "1d", **YEAR)
        source.wait_until_held()
        assert operation.status == "running"
        source.release()
        assert len(operation.result(30)) == 365
        with pytest.raises(TimeoutError):
            source.wait_until_held(timeout=0.001)


@pytest.mark.parametrize("error", [errors.ServiceConnectionError, errors.StatusError])
def test_it_fails_with_the_error_it_is_told(
    source: FakeSource, tmp_path: Path, error: type[errors.KtrdrError]
) -> None:
    with DataManager(tmp_path, source=source, env={}) as data:
        source.fail(error, "the market is closed")
        with pytest.raises(error, match="the market is closed"):
            data.load_data("AAPL", "1d", **YEAR).result(30)
        source.recover()
        assert len(data.load_data("AAPL", "1d", **YEAR).result(30)) == 365


def test_a_source_beside_a_service_is_refused(source: FakeSource, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="leave one of them out"):
        DataManager(tmp_path, "http://127.0.0.1:9", source=source, env={})


def test_bars_that_no_series_can_have_are_refused(source: FakeSource) -> None:
    bars = daily("2023-01-01", "2023-01-04")
    for wrong, said in (
        ({"close": None}, "close missing"),
        ({"time": bars["time"][::-1]}, "sort the bars"),
        ({"close": bars["close"][:2]}, "close"),
        ({"close": np.zeros((3, 1))}, "one contiguous row"),
    ):
        columns = {name: value for name, value in (bars | wrong).items() if value is not None}
        with pytest.raises(errors.InvalidArgumentError, match=said):
            source.set_bars("AAPL", "1d", columns)


def test_its_example_runs() -> None:
    found = doctest.testmod(fake_source)
    assert found.attempted > 5
    assert found.failed == 0


def test_a_load_whose_parent_ends_as_it_begins_goes_on_without_one(
    source: FakeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing() -> None: ...

    with DataManager(tmp_path, source=source, env={}) as data:
        ended = data.run_sync_operation("ENDS", "ends", nothing)
        assert ended is None
        parent = OperationsService().list(operation_type="ends").records[0].id
        monkeypatch.setattr(context, "current_id", lambda: parent)
        load = data.load_data("AAPL", "1d", **YEAR)
        assert len(load.result(30)) == 365
        assert OperationsService().get(load.id).parent_id == ""
        assert data.run_sync_operation("STARTS", "starts", nothing) is None
