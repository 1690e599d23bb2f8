"""A client that is not ours works against the simulated gateway: ib_async's own calls, with no word of ours between."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ib_bars import walk, with_ib
from ktrdr_core.testing import IbGatewaySimulator, SimulatedContract

if TYPE_CHECKING:
    from collections.abc import Iterator

ib_async = pytest.importorskip("ib_async")

_SIZES = (
    "1 min",
    "2 mins",
    "3 mins",
    "5 mins",
    "10 mins",
    "15 mins",
    "20 mins",
    "30 mins",
    "1 hour",
    "2 hours",
    "3 hours",
    "4 hours",
    "8 hours",
    "1 day",
    "1W",
    "1M",
)


@pytest.fixture(scope="module")
def gateway() -> Iterator[IbGatewaySimulator]:
    """A gateway with minutes of a stock, a pair, a future, an index and a coin, and seconds of another stock."""
    minutes = walk("2024-03-01", "2024-03-20")
    future = SimulatedContract("ES", "FUT", local_symbol="ESM4", expiry="20240621", multiplier="50")
    series: dict[Any, Any] = {
        ("AAPL", "1 min"): minutes,
        ("EUR.USD", "1m"): minutes,
        (future, "1 min"): minutes,
        (SimulatedContract("SPX", "IND"), "1 min"): minutes,
        (SimulatedContract("BTC", "CRYPTO"), "1 min"): minutes,
        ("FAST", "1 secs"): walk("2024-03-14T13:30", "2024-03-14T14:30", 1),
    }
    with IbGatewaySimulator(
        series, clock=lambda: datetime(2024, 3, 19, 22, tzinfo=UTC).timestamp()
    ) as one:
        yield one


async def _bars(
    ib: Any, contract: Any, size: str, duration: str, *, end: str = "20240315-20:00:00", **more: Any
) -> Any:
    asked = {"whatToShow": "TRADES", "useRTH": True, "formatDate": 2, **more}
    return await ib.reqHistoricalDataAsync(
        contract, end, barSizeSetting=size, durationStr=duration, timeout=10, **asked
    )


@pytest.mark.parametrize("version", [157, 163, 164, 165, 166, 175, 176, 178])
def test_it_connects_and_asks_in_each_version(version: int) -> None:
    bars = walk("2024-03-14T13:30", "2024-03-14T20:00")
    with IbGatewaySimulator({("AAPL", "1 min"): bars}, version=version) as gateway:

        async def ask(ib: Any) -> None:
            assert ib.client.serverVersion() == version
            (details,) = await ib.reqContractDetailsAsync(ib_async.Stock("AAPL", "SMART", "USD"))
            assert details.contract.primaryExchange == "NASDAQ"
            assert details.timeZoneId == "America/New_York"
            assert details.stockType == "COMMON"
            found = await _bars(ib, details.contract, "1 min", "1 D", end="20240314-20:00:00")
            assert len(found) == 390

        with_ib(gateway, ask)
        assert gateway.broken_frames == []


def test_the_whole_start_of_a_client_is_answered(gateway: IbGatewaySimulator) -> None:
    async def ask(ib: Any) -> None:
        assert ib.managedAccounts() == ["DU0000001"]
        assert ib.client.getReqId() >= 1
        now = await ib.reqCurrentTimeAsync()
        assert now == datetime(2024, 3, 19, 22, tzinfo=UTC)

    with_ib(gateway, ask, raiseSyncErrors=True)


@pytest.mark.parametrize("size", _SIZES)
def test_each_bar_size_is_what_the_minutes_make_of_it(
    gateway: IbGatewaySimulator, size: str
) -> None:
    minutes = walk("2024-03-01", "2024-03-20")

    async def ask(ib: Any) -> Any:
        return await _bars(ib, ib_async.Stock("AAPL", "SMART", "USD"), size, "1 M")

    bars = with_ib(gateway, ask)
    time = minutes["timestamp"]
    seconds = time.astype(np.int64) % 86_400
    # New York was at UTC-5 until March 10th, then at UTC-4.
    opens = np.where(time < np.datetime64("2024-03-10T07:00"), 14 * 3600 + 1800, 13 * 3600 + 1800)
    trading = (seconds >= opens) & (seconds < opens + 23_400)
    trading &= (time.astype("datetime64[D]").astype(np.int64) + 3) % 7 < 5
    trading &= time < np.datetime64("2024-03-15T20:00")
    assert sum(bar.volume for bar in bars) == minutes["volume"][trading].sum()
    assert bars[0].open == minutes["open"][trading][0]
    assert bars[-1].close == minutes["close"][trading][-1]
    assert max(bar.high for bar in bars) == minutes["high"][trading].max()
    assert min(bar.low for bar in bars) == minutes["low"][trading].min()
    dates = [bar.date for bar in bars]
    assert dates == sorted(set(dates))


def test_a_session_is_cut_by_the_exchange_s_clock(gateway: IbGatewaySimulator) -> None:
    async def ask(ib: Any) -> Any:
        stock = ib_async.Stock("AAPL", "SMART", "USD")
        hours = await _bars(ib, stock, "1 hour", "2 D", end="20240311-23:00:00")
        weeks = await _bars(ib, stock, "1W", "3 W", end="20240315-23:00:00")
        return [bar.date for bar in hours], [bar.date for bar in weeks]

    hours, weeks = with_ib(gateway, ask)
    # The clocks changed between the two sessions.
    first = [datetime(2024, 3, 8, 14, 30, tzinfo=UTC)]
    first += [datetime(2024, 3, 8, hour, tzinfo=UTC) for hour in range(15, 21)]
    second = [datetime(2024, 3, 11, 13, 30, tzinfo=UTC)]
    second += [datetime(2024, 3, 11, hour, tzinfo=UTC) for hour in range(14, 20)]
    assert hours == first + second
    # IB names a week by its last day.
    assert weeks == [date(2024, 3, 1), date(2024, 3, 8), date(2024, 3, 15)]


def test_holidays_and_half_days_are_those_of_the_exchange() -> None:
    """Each session of 2024 as the calendar has it, of regular and extended hours."""
    from ktrdr_core.calendars import get_calendar

    calendar = get_calendar("XNYS")
    minutes = walk("2024-01-01", "2025-01-01T02:00", 1800)
    with IbGatewaySimulator({("AAPL", "30 mins"): minutes}) as gateway:

        async def ask(ib: Any) -> Any:
            stock = ib_async.Stock("AAPL", "SMART", "USD")
            return [
                await _bars(ib, stock, "30 mins", "365 D", end="20250101-02:00:00", useRTH=regular)
                for regular in (True, False)
            ]

        regular, extended = with_ib(gateway, ask)
    sessions = calendar.sessions("2024-01-01", "2024-12-31")
    assert sum(session.early_close for session in sessions) == 3
    for bars, before, after in ((regular, 0, 0), (extended, 11, 8)):
        days: dict[date, list[datetime]] = {}
        for bar in bars:
            days.setdefault((bar.date - timedelta(hours=6)).date(), []).append(bar.date)
        assert list(days) == [session.date for session in sessions]
        for session in sessions:
            half = timedelta(minutes=30)
            assert days[session.date][0] == session.open - before * half
            assert days[session.date][-1] == session.close + (after - 1) * half


def test_seconds_are_answered(gateway: IbGatewaySimulator) -> None:
    async def ask(ib: Any) -> Any:
        stock = ib_async.Stock("FAST", "SMART", "USD")
        return [
            len(await _bars(ib, stock, f"{size} secs", "600 S", end="20240314-14:00:00"))
            for size in (1, 5, 10, 15, 30)
        ]

    assert with_ib(gateway, ask) == [600, 120, 60, 40, 20]


def test_each_kind_of_contract_has_its_hours_and_prices(gateway: IbGatewaySimulator) -> None:
    async def ask(ib: Any) -> Any:
        pair = await _bars(ib, ib_async.Forex("EURUSD"), "1 hour", "1 D", whatToShow="MIDPOINT")
        future = await _bars(
            ib,
            ib_async.Contract(secType="FUT", localSymbol="ESM4", exchange="CME"),
            "1 hour",
            "1 D",
        )
        index = await _bars(ib, ib_async.Index("SPX", "CBOE", "USD"), "1 hour", "1 D")
        coin = await _bars(
            ib, ib_async.Crypto("BTC", "PAXOS", "USD"), "1 hour", "1 D", whatToShow="AGGTRADES"
        )
        early = await _bars(
            ib, ib_async.Stock("AAPL", "SMART", "USD"), "1 hour", "1 D", useRTH=False
        )
        return pair, future, index, coin, early

    pair, future, index, coin, early = with_ib(gateway, ask)
    assert pair[0].date == datetime(2024, 3, 14, 21, 15, tzinfo=UTC)
    assert {(bar.volume, bar.barCount) for bar in pair} == {(-1.0, -1)}
    assert future[0].date == datetime(2024, 3, 14, 22, tzinfo=UTC)
    assert index[0].date == datetime(2024, 3, 15, 13, 30, tzinfo=UTC)
    assert coin[0].date == datetime(2024, 3, 15, tzinfo=UTC)
    assert early[0].date == datetime(2024, 3, 15, 8, tzinfo=UTC)


def test_the_first_timestamp_and_the_schedule_are_answered(gateway: IbGatewaySimulator) -> None:
    async def ask(ib: Any) -> Any:
        stock = ib_async.Stock("AAPL", "SMART", "USD")
        first = [await ib.reqHeadTimeStampAsync(stock, "TRADES", True, form) for form in (1, 2)]
        return first, await ib.reqHistoricalScheduleAsync(stock, 3, "20240312-20:00:00")

    first, schedule = with_ib(gateway, ask)
    assert [moment.replace(tzinfo=UTC) for moment in first] == [
        datetime(2024, 3, 1, tzinfo=UTC)
    ] * 2
    assert [each.refDate for each in schedule.sessions] == ["20240308", "20240311", "20240312"]
    assert schedule.timeZone == "America/New_York"


def test_stamps_as_text_name_the_exchange_s_zone(gateway: IbGatewaySimulator) -> None:
    async def ask(ib: Any) -> Any:
        stock = ib_async.Stock("AAPL", "SMART", "USD")
        return await _bars(ib, stock, "1 hour", "1 D", formatDate=1)

    assert with_ib(gateway, ask)[0].date.isoformat() == "2024-03-15T09:30:00-04:00"


_WRONG: list[tuple[dict[str, Any], int, str]] = [
    ({"size": "7 mins"}, 321, "bar size setting is invalid"),
    ({"duration": "3 H"}, 321, "duration is invalid"),
    ({"duration": "400 D"}, 321, "must be made in years"),
    ({"end": "20240315 16:00:00 GMT"}, 10314, "time-zone entered is invalid"),
    ({"end": "yesterday"}, 10314, "time-zone entered is invalid"),
    ({"end": "00010101-00:00:00"}, 10314, "time-zone entered is invalid"),
    ({"end": "00010101 00:00:00 Asia/Tokyo"}, 10314, "time-zone entered is invalid"),
    ({"end": "99991231 23:59:59 America/New_York"}, 10314, "time-zone entered is invalid"),
    ({"end": "19000101-00:00:00", "duration": "100 Y"}, 162, "HMDS query returned no data"),
    ({"end": "99981231-23:59:59", "duration": "1 S"}, 162, "HMDS query returned no data"),
    ({"whatToShow": "SMELL"}, 321, "What to show"),
    ({"whatToShow": "ADJUSTED_LAST"}, 321, "adjusted last"),
    ({"formatDate": 3}, 321, "format date"),
    ({"end": "20200101-00:00:00"}, 162, "HMDS query returned no data"),
    ({"symbol": "NOPE"}, 200, "No security definition"),
]


@pytest.mark.parametrize(("wrong", "code", "words"), _WRONG)
def test_a_request_that_cannot_be_is_answered_by_its_error(
    gateway: IbGatewaySimulator, wrong: dict[str, Any], code: int, words: str
) -> None:
    asked = {"size": "1 hour", "duration": "1 D", "symbol": "AAPL", **wrong}
    stock = ib_async.Stock(asked.pop("symbol"), "SMART", "USD")
    size, duration = asked.pop("size"), asked.pop("duration")

    async def ask(ib: Any) -> Any:
        import asyncio

        errors: asyncio.Queue[Any] = asyncio.Queue()
        ib.errorEvent += lambda *facts: errors.put_nowait(facts) if facts[0] >= 0 else None
        asking = asyncio.ensure_future(_bars(ib, stock, size, duration, **asked))
        found = await asyncio.wait_for(errors.get(), 10)
        asking.cancel()
        return found

    _, found, text, _ = with_ib(gateway, ask)
    assert found == code
    assert words in text


def test_an_ambiguous_stock_is_answered_with_its_candidates() -> None:
    with IbGatewaySimulator() as gateway:
        for currency in ("USD", "EUR"):
            gateway.add(SimulatedContract("ACME", currency=currency))

        async def ask(ib: Any) -> Any:
            return await ib.reqContractDetailsAsync(ib_async.Stock("ACME", "SMART", ""))

        found = with_ib(gateway, ask)
    assert [details.contract.currency for details in found] == ["USD", "EUR"]


def test_a_cancelled_request_is_answered_by_its_error() -> None:
    bars = walk("2024-03-14T13:30", "2024-03-14T20:00")
    with IbGatewaySimulator({("AAPL", "1 min"): bars}, answer_seconds=60) as gateway:

        async def ask(ib: Any) -> Any:
            import asyncio

            errors: asyncio.Queue[Any] = asyncio.Queue()
            ib.errorEvent += lambda *facts: errors.put_nowait(facts) if facts[0] >= 0 else None
            stock = ib_async.Stock("AAPL", "SMART", "USD")
            asking = asyncio.ensure_future(
                _bars(ib, stock, "1 min", "1 D", end="20240314-20:00:00")
            )
            await asyncio.to_thread(gateway.wait_until, lambda one: one.under_way == 1)
            number = ib.client._reqIdSeq - 1
            ib.client.cancelHistoricalData(number)
            found = [await asyncio.wait_for(errors.get(), 10)]
            ib.client.cancelHistoricalData(number)
            found.append(await asyncio.wait_for(errors.get(), 10))
            asking.cancel()
            return [(code, text) for _, code, text, _ in found]

        (first, words), (second, _) = with_ib(gateway, ask)
        assert (first, second) == (162, 366)
        assert "query cancelled" in words
        assert gateway.under_way == 0


def test_a_client_id_is_given_once() -> None:
    with IbGatewaySimulator() as gateway:

        async def ask(ib: Any) -> None:
            second = ib_async.IB()
            with pytest.raises((ConnectionError, TimeoutError)):
                await second.connectAsync(gateway.host, gateway.port, clientId=1, timeout=0.5)
            assert gateway.client_ids == [1]

        with_ib(gateway, ask)
        gateway.wait_until(lambda one: one.connections == 0)
        with_ib(gateway, ask)
