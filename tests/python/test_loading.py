"""Loads end to end: a real service in a child process, real bars, the real database."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from ktrdr_core import (
    Bars,
    CancellationToken,
    DataManager,
    OperationsService,
    ProgressState,
    errors,
)
from ktrdr_core.hosts.child import HostProcess
from ktrdr_core.testing import HOLD, FaultServer, ok, status

if TYPE_CHECKING:
    from pathlib import Path

    from ktrdr_core.testing import Action, FaultRequest

#: All that the replay has.
FULL: dict[str, Any] = {"start_date": "2000-03-01", "end_date": "2013-03-01", "mode": "full"}


def test_a_load_brings_every_bar_and_a_second_one_asks_nothing(
    host: HostProcess, tmp_path: Path
) -> None:
    with DataManager(tmp_path, host.url, env={}) as data:
        bars = data.load_data("AAPL", "1d", **FULL).result(timeout=60)
        assert len(bars) == 3270
        assert np.all(np.diff(bars.time.astype("int64")) > 0)
        assert np.all((bars.low <= bars.close) & (bars.close <= bars.high))
        asked = data.pool_stats()["requests"]
        again = data.load_data("AAPL", "1d", **FULL).result(timeout=60)
        assert data.pool_stats()["requests"] == asked
        assert np.array_equal(again.close, bars.close)
    with DataManager(tmp_path, env={}) as stored:
        local = stored.load_data("AAPL", "1d").result(timeout=60)
        assert np.array_equal(local.time, bars.time)


def test_what_does_not_come_is_asked_for_by_one_more_load_and_by_no_third(
    host: HostProcess, tmp_path: Path
) -> None:
    beyond = {**FULL, "start_date": "2012-01-01", "end_date": "2014-06-30"}
    with DataManager(tmp_path, host.url, env={}) as data:
        load = data.load_data("AAPL", "1d", **beyond)
        bars = load.result(60)
        assert str(bars.time[-1])[:10] == "2013-03-01"
        [warning] = load.warnings
        assert "should exist" in warning
        assert "2013-03-04" in warning
        for more in (True, False):
            before = data.pool_stats()["requests"]
            assert len(data.load_data("AAPL", "1d", **beyond).result(60)) == len(bars)
            assert (data.pool_stats()["requests"] > before) is more


def test_a_tail_goes_on_and_a_backfill_goes_back(host: HostProcess, tmp_path: Path) -> None:
    with DataManager(tmp_path, host.url, env={}) as data:
        data.load_data("AAPL", "1d", "2010-01-01", "2010-12-31", mode="full").result(60)
        tail = data.load_data("AAPL", "1d", end_date="2011-12-31", mode="tail").result(60)
        assert [str(day)[:10] for day in tail.time[[0, -1]]] == ["2010-01-04", "2011-12-30"]
        back = data.load_data("AAPL", "1d", mode="backfill").result(60)
        assert [str(day)[:10] for day in back.time[[0, -1]]] == ["2000-03-01", "2011-12-30"]
        asked = data.pool_stats()["requests"]
        again = data.load_data("AAPL", "1d", "2011-01-01", "2011-12-31", "full", refresh=True)
        assert len(again.result(60)) == 252
        assert data.pool_stats()["requests"] > asked


def test_the_end_date_includes_its_day(host: HostProcess, tmp_path: Path) -> None:
    with DataManager(tmp_path, host.url, env={}) as data:
        bars = data.load_data("AAPL", "1d", "2005-01-03", "2005-01-05", mode="full").result(60)
        days = [str(day)[:10] for day in bars.time]
        assert days == ["2005-01-03", "2005-01-04", "2005-01-05"]
        same = data.load_data("AAPL", "1d", date(2005, 1, 3), date(2005, 1, 5)).result(60)
        assert len(same) == 3
        until = datetime(2005, 1, 5, tzinfo=UTC)
        assert len(data.load_data("AAPL", "1d", date(2005, 1, 3), until).result(60)) == 2


def test_bars_are_read_only_views_and_a_data_frame(host: HostProcess, tmp_path: Path) -> None:
    with DataManager(tmp_path, host.url, env={}) as data:
        bars = data.load_data("MSFT", "1d", "2005-01-01", "2005-12-31", mode="full").result(60)
    assert isinstance(bars, Bars)
    with pytest.raises(ValueError, match="read-only"):
        bars.close[0] = 1.0
    frame = bars.to_pandas()
    assert list(frame.columns) == ["open", "high", "low", "close", "volume"]
    assert isinstance(frame.index, pd.DatetimeIndex)
    assert str(frame.index.tz) == "UTC"
    assert len(frame) == len(bars) == 252
    close = bars.close
    del bars
    assert close[-1] == frame["close"].iloc[-1]


def test_an_unknown_symbol_is_named_and_nothing_is_stored(
    host: HostProcess, tmp_path: Path
) -> None:
    with DataManager(tmp_path, host.url, env={}) as data:
        with pytest.raises(errors.SymbolNotFoundError, match="NOPE"):
            data.load_data("NOPE", "1d", **FULL).result(60)
        assert len(data.load_data("NOPE", "1d").result(60)) == 0


def test_progress_rises_names_its_step_and_ends_at_100(host: HostProcess, tmp_path: Path) -> None:
    async def main() -> list[ProgressState]:
        async with DataManager(tmp_path, host.url, env={}) as data:
            load = data.load_data("AAPL", "1d", **FULL)
            states = [state async for state in load.events()]
            assert len(await load) == 3270
            assert load.status == "completed"
            return states

    states = asyncio.run(main())
    percentages = [state.percentage for state in states]
    assert percentages == sorted(percentages)
    assert percentages[-1] == 100
    assert [s.sequence for s in states] == sorted({s.sequence for s in states})
    assert any("AAPL 1d" in s.message and "full" in s.message for s in states)
    last = states[-1]
    assert last.context["symbol"] == "AAPL"
    assert last.items_processed == 3270
    assert last.estimated_remaining is None or last.estimated_remaining == timedelta(0)


def test_callbacks_come_on_the_loop_and_inside_result(host: HostProcess, tmp_path: Path) -> None:
    import threading

    threads: set[int] = set()
    states: list[ProgressState] = []

    def hear(state: ProgressState) -> None:
        threads.add(threading.get_ident())
        states.append(state)

    async def main() -> None:
        async with DataManager(tmp_path / "a", host.url, env={}) as data:
            await data.load_data("AAPL", "1d", **FULL, progress_callback=hear)

    asyncio.run(main())
    assert states[-1].percentage == 100
    states.clear()
    with DataManager(tmp_path / "b", host.url, env={}) as data:
        data.load_data("AAPL", "1d", **FULL, progress_callback=hear).result(60)
    assert states[-1].percentage == 100
    assert threads == {threading.get_ident()}


def test_a_callback_that_raises_is_reported_once_and_stops_nothing(
    host: HostProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def hear(state: ProgressState) -> None:
        raise RuntimeError("my own fault")

    with DataManager(tmp_path, host.url, env={}) as data:
        assert len(data.load_data("AAPL", "1d", **FULL, progress_callback=hear).result(60)) == 3270
    assert sum("my own fault" in str(record.exc_info) for record in caplog.records) == 1


def test_two_loads_at_once_each_see_their_own_progress(host: HostProcess, tmp_path: Path) -> None:
    async def follow(data: DataManager, symbol: str) -> None:
        load = data.load_data(symbol, "1d", **FULL)
        async for state in load.events():
            assert state.operation_id == load.id
            assert state.context.get("symbol", symbol) == symbol
        assert len(await load) == 3270

    async def main() -> None:
        async with DataManager(tmp_path, host.url, env={}) as data:
            await asyncio.gather(follow(data, "AAPL"), follow(data, "MSFT"))

    asyncio.run(main())


def test_ten_loads_over_three_connections_never_open_a_fourth(tmp_path: Path) -> None:
    async def main(url: str) -> None:
        async with DataManager(tmp_path, url, pool_size=3, env={}) as data:
            loads = [
                data.load_data(symbol, "1d", f"{year}-01-01", f"{year}-12-31", mode="full")
                for symbol in ("AAPL", "MSFT")
                for year in range(2003, 2008)
            ]
            for bars in await asyncio.gather(*loads):
                assert len(bars) > 200
            assert data.pool_stats()["open"] <= 3

    with HostProcess(delay=0.02) as host:
        asyncio.run(main(host.url))
        assert host.stats()["max_connections"] <= 3


def test_a_cancelled_load_keeps_what_was_committed_and_the_next_asks_for_the_rest(
    tmp_path: Path,
) -> None:
    with HostProcess(delay=0, gate=True) as host, DataManager(tmp_path, host.url, env={}) as data:
        host.release(2)
        load = data.load_data("AAPL", "1d", **FULL)
        host.wait(held=1)
        with DataManager(tmp_path, env={}) as reader:
            stored = 0
            while stored < 900:
                stored = len(reader.load_data("AAPL", "1d").result(60))
        assert load.cancel("enough")
        with pytest.raises(errors.OperationCancelledError, match="enough"):
            load.result(10)
        assert load.status == "cancelled"
        host.wait(cancelled=1)
        before = host.stats()
        host.release()
        bars = data.load_data("AAPL", "1d", **FULL).result(60)
        after = host.stats()
        assert len(bars) == 3270
        whole = 7  # 13 years and their leap days in spans of 730 days, the first ones; later ones may be longer
        assert 0 < asked(after) - asked(before) < whole


def test_cancelling_the_task_cancels_the_operation_and_raises_cancelled_error(
    tmp_path: Path,
) -> None:
    async def main(host: HostProcess) -> None:
        async with DataManager(tmp_path, host.url, env={}) as data:
            load = data.load_data("AAPL", "1d", **FULL)
            task = asyncio.ensure_future(_await(load))
            await asyncio.to_thread(host.wait, held=1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert load.status == "cancelled"
            with pytest.raises(errors.OperationCancelledError):
                await load

    with HostProcess(delay=0, gate=True) as host:
        asyncio.run(main(host))


def test_cancelling_the_operation_raises_operation_cancelled_in_every_awaiter(
    tmp_path: Path,
) -> None:
    async def main(host: HostProcess) -> None:
        async with DataManager(tmp_path, host.url, env={}) as data:
            token = CancellationToken()
            load = data.load_data("AAPL", "1d", **FULL, cancellation_token=token)
            tasks = [asyncio.ensure_future(_await(load)) for _ in range(3)]
            await asyncio.to_thread(host.wait, held=1)
            assert token.cancel("by token")
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                assert isinstance(outcome, errors.OperationCancelledError)
                assert "by token" in str(outcome)
            current = asyncio.current_task()
            assert current is not None
            assert current.cancelling() == 0

    with HostProcess(delay=0, gate=True) as host:
        asyncio.run(main(host))


def test_of_several_awaiters_only_the_last_cancels_the_work(tmp_path: Path) -> None:
    async def main(host: HostProcess) -> None:
        async with DataManager(tmp_path, host.url, env={}) as data:
            load = data.load_data("AAPL", "1d", "2005-01-01", "2005-12-31", mode="full")
            first, second = (asyncio.ensure_future(_await(load)) for _ in range(2))
            await asyncio.to_thread(host.wait, held=1)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            assert load.status == "running"
            host.release()
            assert len(await second) == 252

    with HostProcess(delay=0, gate=True) as host:
        asyncio.run(main(host))


def test_timeouts_of_asyncio_work_as_everywhere(tmp_path: Path) -> None:
    async def main(host: HostProcess) -> None:
        async with DataManager(tmp_path, host.url, env={}) as data:
            load = data.load_data("AAPL", "1d", **FULL)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await load
            assert load.status == "cancelled"
            kept = data.load_data("AAPL", "1d", **FULL)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(_await(kept)), 0.05)
            assert kept.status == "running"

    with HostProcess(delay=0, gate=True) as host:
        asyncio.run(main(host))


def test_leaving_the_manager_stops_what_still_runs(tmp_path: Path) -> None:
    async def main(host: HostProcess) -> str:
        async with DataManager(tmp_path, host.url, env={}) as data:
            load = data.load_data("AAPL", "1d", **FULL)
            await asyncio.to_thread(host.wait, held=1)
        return load.status

    with HostProcess(delay=0, gate=True) as host:
        assert asyncio.run(main(host)) == "cancelled"


def test_result_on_a_running_loop_names_await(host: HostProcess, tmp_path: Path) -> None:
    async def main() -> None:
        async with DataManager(tmp_path, host.url, env={}) as data:
            load = data.load_data("AAPL", "1d", **FULL)
            with pytest.raises(RuntimeError, match="await"):
                load.result()
            await load

    asyncio.run(main())


def test_a_coroutine_function_as_callback_is_refused(host: HostProcess, tmp_path: Path) -> None:
    async def hear(state: ProgressState) -> None: ...

    with DataManager(tmp_path, host.url, env={}) as data:
        with pytest.raises(errors.InvalidArgumentError, match="events"):
            data.load_data("AAPL", "1d", **FULL, progress_callback=hear)


def test_the_core_s_log_records_reach_logging(
    host: HostProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="ktrdr_core"):
        with DataManager(tmp_path, host.url, env={}) as data:
            load = data.load_data("AAPL", "1d", **FULL)
            load.result(60)
    records = [r for r in caplog.records if r.name == "ktrdr_core.operations"]
    assert any(getattr(record, "ktrdr_operation_id", "") == load.id for record in records)


def asked(stats: dict[str, Any]) -> int:
    """Requests for bars so far."""
    return int(stats["requests"]["/data/historical"])


async def _await(load: Any) -> Any:
    return await load


def test_what_had_to_be_asked_again_stands_in_the_loads_log(tmp_path: Path) -> None:
    busy = status(503, "the gateway restarts", "Retry-After: 0\r\n")
    with (
        FaultServer(busy) as server,
        DataManager(tmp_path, server.url, env={"IB_HOST_SERVICE_MAX_RETRIES": "2"}) as data,
    ):
        load = data.load_data("AAPL", "1d", **FULL)
        with pytest.raises(errors.StatusError, match="the gateway restarts") as caught:
            load.result(timeout=60)
        assert caught.value.context["operation_id"] == load.id
        assert {r.headers["x-operation-id"] for r in server.requests} == {load.id}
        events = [event for event in OperationsService().events(load.id) if event.kind == "log"]
        # One that waits for long asks for warnings, too.
        asked_for = [each.target for each in server.requests if each.method == "POST"]
        assert asked_for == ["/data/validate"] * 3
        assert len(events) == 3
        assert [event.data["status"] for event in events] == [503] * 3
        assert events[0].data["message"].startswith("ib: POST /data/validate: attempt 1: was")
        assert events[-1].data["stopped_by"] == "attempts"


def test_a_service_that_knows_the_contract_alone_is_asked_for_warnings_once(tmp_path: Path) -> None:
    bar = {"open": 1, "high": 2, "low": 1, "close": 2, "volume": 3}
    data = json.dumps({"2005-01-03T00:00:00.000Z": bar})
    answers: dict[str, dict[str, Any]] = {
        "/data/validate": {"success": True, "is_valid": True},
        "/data/head-timestamp": {"success": True, "timestamp": "2005-01-03"},
        "/data/historical": {"success": True, "rows": 1, "error": None, "data": data},
    }

    def answer(request: FaultRequest) -> list[Action]:
        path = request.target.partition("?")[0]
        if path not in answers:
            return [status(404, "{}")]
        # Each takes as long as it takes until that has been asked.
        return [HOLD, ok(json.dumps(answers[path]), "Content-Type: application/json\r\n")]

    with FaultServer(answer) as server, DataManager(tmp_path, server.url, env={}) as manager:
        load = manager.load_data(
            "AAPL", "1d", "2005-01-03", "2005-01-03", mode="full", validate=False
        )
        deadline = time.monotonic() + 30
        while not any(each.target.startswith("/warnings") for each in server.requests):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        server.release()
        assert len(load.result(30)) == 1
        assert load.warnings == []
        seen = [each for each in server.requests if each.target.startswith("/warnings")]
        assert [each.target for each in seen] == [f"/warnings?operation_id={load.id}"]
