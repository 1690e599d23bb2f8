"""Bars of a gateway: what a symbol stands for, how its bars are asked for, and what is made of the answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ib_bars import walk
from ktrdr_core import DataManager, errors
from ktrdr_core.calendars import BarGrid
from ktrdr_core.data import Contract, IbGatewaySource, SourceCalls
from ktrdr_core.data.ib_gateway.durations import SIZES, SPANS, asked_for, duration_of
from ktrdr_core.data.ib_gateway.stamps import seconds_of
from ktrdr_core.testing import (
    Fault,
    IbGatewaySimulator,
    SimulatedContract,
    SourceCase,
    SourceSuite,
)
from ktrdr_core.testing.ib_gateway.durations import start_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ib_async = pytest.importorskip("ib_async")

_RANGE = ("2024-03-01", "2024-03-20")
_FUTURE = SimulatedContract("ES", "FUT", local_symbol="ESM4", expiry="20240621", multiplier="50")


@pytest.fixture(scope="module")
def gateway() -> Iterator[IbGatewaySimulator]:
    minutes = walk(*_RANGE)
    contracts: list[Any] = [
        "AAPL",
        "EUR.USD",
        _FUTURE,
        SimulatedContract("SPX", "IND"),
        SimulatedContract("BTC", "CRYPTO"),
        SimulatedContract("SPY", stock_type="ETF", primary_exchange="ARCA"),
        SimulatedContract("BRK B", primary_exchange="NYSE"),
        SimulatedContract("DARK", permitted=False),
    ]
    with IbGatewaySimulator({(each, "1 min"): minutes for each in contracts}) as one:
        for currency, exchange in (("USD", "NYSE"), ("USD", "LSE")):
            one.add(
                SimulatedContract(
                    "TWIN", currency=currency, primary_exchange=exchange, con_id=len(exchange)
                )
            )
        yield one


@pytest.fixture(scope="module")
def source(gateway: IbGatewaySimulator) -> Iterator[IbGatewaySource]:
    with IbGatewaySource(port=gateway.port, env={}) as one:
        yield one


class TestIbGatewaySource(SourceSuite):
    @pytest.fixture
    def case(self, source: IbGatewaySource) -> SourceCase:
        return SourceCase(
            source,
            "AAPL",
            "1h",
            "2024-03-04",
            "2024-03-15",
            unknown="NOPE",
            empty=("2024-03-09", "2024-03-10"),
        )


def ask(source: IbGatewaySource, question: str, *arguments: Any) -> Any:
    async def main() -> Any:
        return await getattr(SourceCalls(source), question)(*arguments)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("symbol", "contract", "first"),
    [
        ("AAPL", Contract("stock", "NASDAQ", "USD"), "2024-03-14T13:30:00"),
        ("BRK.B", Contract("stock", "NYSE", "USD"), "2024-03-14T13:30:00"),
        ("BRK B", Contract("stock", "NYSE", "USD"), "2024-03-14T13:30:00"),
        ("SPY", Contract("etf", "ARCA", "USD"), "2024-03-14T13:30:00"),
        ("SPX", Contract("index", "CBOE", "USD"), "2024-03-14T13:30:00"),
        ("$SPX", Contract("index", "CBOE", "USD"), "2024-03-14T13:30:00"),
        ("EUR.USD", Contract("forex", "IDEALPRO", "USD"), "2024-03-14T00:00:00"),
        ("EURUSD", Contract("forex", "IDEALPRO", "USD"), "2024-03-14T00:00:00"),
        ("EUR/USD", Contract("forex", "IDEALPRO", "USD"), "2024-03-14T00:00:00"),
        ("ESM4", Contract("future", "CME", "USD"), "2024-03-14T00:00:00"),
        ("BTC/USD", Contract("crypto", "PAXOS", "USD"), "2024-03-14T00:00:00"),
        ("BTC.USD", Contract("crypto", "PAXOS", "USD"), "2024-03-14T00:00:00"),
    ],
)
def test_a_symbol_stands_for_one_contract_and_is_asked_for_as_its_kind_is(
    source: IbGatewaySource, symbol: str, contract: Contract, first: str
) -> None:
    assert ask(source, "validate_symbol", symbol, "1h") == contract
    bars = ask(source, "fetch", symbol, "1h", "2024-03-14", "2024-03-14").bars
    assert bars.time[0] == np.datetime64(first)
    # A midpoint of quotes has no volume.
    assert set(bars.volume.tolist()) == {-1.0} or contract.asset_class != "forex"
    assert (bars.volume > 0).all() or contract.asset_class == "forex"


def test_a_symbol_of_several_contracts_is_an_error_that_lists_them(
    gateway: IbGatewaySimulator, source: IbGatewaySource
) -> None:
    with pytest.raises(errors.SymbolNotFoundError) as found:
        ask(source, "validate_symbol", "TWIN", "1h")
    assert "TWIN may mean 2 contracts: TWIN STK NYSE USD (4); TWIN STK LSE USD (3)" in str(
        found.value
    )
    meant = {"TWIN": ib_async.Contract(conId=3)}
    with IbGatewaySource(port=gateway.port, client_id=20, contracts=meant, env={}) as other:
        assert ask(other, "validate_symbol", "TWIN", "1h") == Contract("stock", "LSE", "USD")


def test_what_the_account_may_not_see_ends_the_load_and_names_the_cure(
    source: IbGatewaySource,
) -> None:
    with pytest.raises(errors.ConfigurationError, match="Client Portal"):
        ask(source, "fetch", "DARK", "1h", "2024-03-14", "2024-03-14")


def test_the_first_timestamp_is_utc(source: IbGatewaySource) -> None:
    assert ask(source, "first_timestamp", "AAPL", "1h") == datetime(2024, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("timeframe", list(SIZES))
def test_each_timeframe_is_loaded_whole_and_asked_for_once(
    source: IbGatewaySource, timeframe: str, tmp_path: Path
) -> None:
    with DataManager(tmp_path, source=source, env={}) as data:
        bars = data.load_data("BTC/USD", timeframe, *_RANGE, mode="full").result(60)
        again = data.load_data("BTC/USD", timeframe, *_RANGE).result(60)
    minutes = walk(*_RANGE)
    inside = minutes["timestamp"] >= bars.time[0]
    assert bars == again
    assert bars.volume.sum() == minutes["volume"][inside].sum()
    assert bars.close[-1] == minutes["close"][-1]
    assert bars.high.max() == minutes["high"][inside].max()
    grid = BarGrid(timeframe)
    assert [grid.floor(bar.timestamp) for bar in bars[:5]] == [bar.timestamp for bar in bars[:5]]


@pytest.mark.parametrize("kind", ["unordered", "repeated", "revised"])
def test_bars_that_come_oddly_are_put_right(
    gateway: IbGatewaySimulator, source: IbGatewaySource, kind: str
) -> None:
    whole = ask(source, "fetch", "AAPL", "1m", "2024-03-14", "2024-03-14").bars
    gateway.fault(Fault(kind))
    assert ask(source, "fetch", "AAPL", "1m", "2024-03-14", "2024-03-14").bars == whole


_ZONES = [
    ("America/New_York", "2024-03-08T14:30"),
    ("US/Eastern", "2024-03-08T14:30"),
    ("EST", "2024-03-08T14:30"),
    ("EDT", "2024-03-08T14:30"),
    ("Eastern Standard Time", "2024-03-08T14:30"),
    ("Hora del Este", "2024-03-08T14:30"),
    ("heure de l\u2019Est", "2024-03-08T14:30"),
    ("北美东部标准时间", "2024-03-08T14:30"),
    ("MEZ", "2024-03-08T08:30"),
    ("Mitteleuropäische Zeit", "2024-03-08T08:30"),
    ("中国标准时间", "2024-03-08T01:30"),
    ("日本標準時", "2024-03-08T00:30"),
    ("GMT", "2024-03-08T09:30"),
    ("Europe/Amsterdam", "2024-03-08T08:30"),
]


@pytest.mark.parametrize(("zone", "utc"), _ZONES)
def test_a_stamp_is_read_in_the_zone_that_it_names_in_any_language(
    zone: str, utc: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        found = seconds_of(f"20240308 09:30:00 {zone}")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert datetime.fromtimestamp(found, UTC).isoformat() == f"{utc}:00+00:00"


@pytest.mark.parametrize(
    "text", ["20240308 09:30:00 Nowhere", "20240308 09:30:00", "soon", "2024", ""]
)
def test_a_stamp_that_cannot_be_read_is_never_guessed(text: str) -> None:
    if text == "2024":
        assert seconds_of(text) == 2024
        return
    with pytest.raises(errors.ProtocolError):
        seconds_of(text)


#: What is no second of any calendar: too large for a number, seconds before the year 1, and milliseconds.
_NO_SECONDS = ["9" * 20, "9" * 40, "-99999999999", "1709906400000", "1e9", "1709906400.5"]


@pytest.mark.parametrize("stamp", _NO_SECONDS)
@pytest.mark.parametrize("which", ["one", "all"])
@pytest.mark.parametrize("timeframe", ["1m", "1h", "1d", "1w", "1M"])
def test_seconds_of_no_calendar_are_an_error_and_no_bars_that_are_not_there(
    gateway: IbGatewaySimulator,
    source: IbGatewaySource,
    timeframe: str,
    which: str,
    stamp: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ktrdr_core.testing.ib_gateway import messages

    def stamps_of(rows: Sequence[Any], *_: Any) -> list[str]:
        usual = ["20240308" if timeframe[-1] in "dwM" else "1709908200"] * (len(rows) - 1)
        return [*usual, stamp] if which == "one" else [stamp] * len(rows)

    monkeypatch.setattr(messages, "stamps_of", stamps_of)
    with pytest.raises(errors.ProtocolError, match="which is no time"):
        ask(source, "fetch", "AAPL", timeframe, "2024-03-08", "2024-03-08")


@pytest.mark.parametrize("stamp", _NO_SECONDS)
def test_a_first_timestamp_of_no_calendar_is_an_error(
    source: IbGatewaySource, stamp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ktrdr_core.testing.ib_gateway import messages
    from ktrdr_core.testing.ib_gateway.frames import payload_of

    def head(_: Any, request: int, *__: Any) -> bytes:
        return payload_of(88, request, stamp)

    monkeypatch.setattr(messages.Answers, "head", head)
    with pytest.raises(errors.ProtocolError, match="which is no time"):
        ask(source, "first_timestamp", "AAPL", "1h")


def test_both_changes_of_the_clock_are_read_as_the_zone_has_them() -> None:
    stamps = [f"20240{day} 09:30:00 US/Eastern" for day in ("308", "311")]
    stamps += [f"2024{day} 09:30:00 US/Eastern" for day in ("1101", "1104")]
    hours = [datetime.fromtimestamp(seconds_of(stamp), UTC).hour for stamp in stamps]
    assert hours == [14, 13, 13, 14]


@pytest.mark.parametrize("zone", ["Hora del Este", "EST"])
def test_answers_with_text_for_stamps_are_the_same_bars(
    gateway: IbGatewaySimulator, source: IbGatewaySource, zone: str
) -> None:
    whole = ask(source, "fetch", "AAPL", "1h", "2024-03-11", "2024-03-12").bars
    gateway.fault(Fault("zone", text=zone))
    assert ask(source, "fetch", "AAPL", "1h", "2024-03-11", "2024-03-12").bars == whole
    gateway.fault(Fault("zone", text="Tiempo de Atlantis"))
    with pytest.raises(errors.ProtocolError, match="'Tiempo de Atlantis', which is unknown"):
        ask(source, "fetch", "AAPL", "1h", "2024-03-11", "2024-03-12")


@pytest.mark.parametrize("timeframe", list(SIZES))
@pytest.mark.parametrize("kind", ["STK", "CASH", "CRYPTO"])
def test_what_is_asked_for_covers_the_range_and_not_much_more(timeframe: str, kind: str) -> None:
    hours = SimulatedContract("ANY", kind).hours(regular=kind == "STK")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    spans = [SPANS[timeframe] / part for part in (1, 2, 3, 7, 10, 30, 365)]
    spans += [timedelta(days=days) for days in (1, 2, 28, 29, 30, 31, 59, 364, 365, 366)]
    for number, span in enumerate(spans):
        # Ends lie at every hour, over weekends, holidays and both changes of the clock.
        end = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=17 * number, hours=7 * number)
        asked = asked_for(timeframe, end - span, end, now)
        last = datetime.strptime(asked.end, "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC)
        first = start_of(asked.duration, int(last.timestamp()), hours)
        # The last bar that begins before the end is whole.
        length = SIZES[timeframe][1]
        by_the_clock = (
            length <= timedelta(minutes=15) and end.timestamp() % length.total_seconds() == 0
        )
        assert last >= end + (timedelta(0) if by_the_clock else min(length, now - end))
        assert first <= (end - span).timestamp(), (asked, span)


def test_a_duration_is_never_hours_and_never_more_than_its_unit_takes() -> None:
    for minutes in (1, 59, 1440, 1441, 40_000, 525_600, 525_601, 5_000_000):
        for length in (timedelta(minutes=1), timedelta(days=1)):
            count, unit = duration_of(timedelta(minutes=minutes), length).split()
            assert int(count) <= {"S": 86_400, "D": 365, "Y": 100}[unit]
            seconds = {"S": 1, "D": 86_400, "Y": 365 * 86_400}[unit] * int(count)
            assert seconds >= 60 * minutes


def test_settings_come_from_the_environment_and_are_checked(gateway: IbGatewaySimulator) -> None:
    env = {
        "IB_GATEWAY_HOST": "localhost",
        "IB_GATEWAY_PORT": str(gateway.port),
        "IB_GATEWAY_CLIENT_ID": "77",
    }
    with IbGatewaySource(env=env) as source:
        ask(source, "validate_symbol", "AAPL", "1h")
        assert source.health.client_id == 77
        assert repr(source) == f"<IbGatewaySource localhost:{gateway.port} ready>"
    assert source.health.state == "closed"
    for name, value in (("IB_GATEWAY_PORT", "70000"), ("IB_GATEWAY_CLIENT_ID", "-1")):
        with pytest.raises(errors.ConfigurationError, match=f"{name} must be a number from"):
            IbGatewaySource(env={name: value})
    with pytest.raises(errors.ServiceConnectionError, match="is closed: make another one"):
        ask(source, "validate_symbol", "MSFT", "1h")
