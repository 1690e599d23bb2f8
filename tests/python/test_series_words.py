"""Which of a symbol's series is meant: loads, reads and everything else that names one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ktrdr_core import DataManager
from ktrdr_core.data import BarSource, Contract, SourceCalls
from ktrdr_core.errors import InvalidArgumentError, NoDataError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

_PRICES = ("open", "high", "low", "close")


def _bars(price: float, days: int = 3) -> dict[str, Any]:
    stamps = np.datetime64("2024-07-01") + np.arange(days)
    return {"timestamp": stamps, **{name: np.full(days, price) for name in _PRICES}}


@pytest.fixture
def sides(tmp_path: Path) -> Any:
    """Bids at 1 and asks at 2 of one pair of currencies."""
    with DataManager(tmp_path, env={}) as data:
        for price, side in ((1.0, "BID"), (2.0, "ASK")):
            data.store(
                "EURUSD", "1d", _bars(price), instrument_type="forex", what_to_show=side
            ).result()
        yield data


def test_every_method_takes_the_series_that_the_words_say(sides: Any, tmp_path: Path) -> None:
    for price, side in ((1.0, "BID"), (2.0, "ASK")):
        words = {"what_to_show": side}
        assert sides.get_data("EURUSD", "1d", **words).close[0] == price
        assert sides.load_data("EURUSD", "1d", **words).result().close[0] == price
        summary = sides.get_summary("EURUSD", "1d", **words)
        assert (summary.what_to_show, summary.last_close) == (side, price)
        assert sides.find_gaps("EURUSD", "1d", **words).present == 3
        assert sides.check_quality("EURUSD", "1d", jump=20, **words).bars == 3
        assert len(sides.repair("EURUSD", "1d", **words)) == 0
        for name in (f"{side}.csv", f"{side}.parquet"):
            assert sides.export("EURUSD", "1d", tmp_path / name, **words).result().bars == 3
        assert f"{price},{price}" in (tmp_path / f"{side}.csv").read_text()
        many = sides.load_many(["EURUSD"], "1d", **words).result()
        assert many["EURUSD"].close[0] == price
        sides.store("EURUSD", "1d", _bars(price + 5, 1), **words).result()
        assert [change.revised for change in sides.changes("EURUSD", "1d", **words)] == [1]
        assert sides.undo("EURUSD", "1d", **words).revised == 1
        assert sides.forget("EURUSD", "1d", "2024-07-01", "2024-07-01", **words) == 1
        assert sides.undo("EURUSD", "1d", **words).removed == 1
        assert sides.get_data("EURUSD", "1d", **words).close[0] == price
    assert sides.delete("EURUSD", "1d", provider="IB", what_to_show="BID") == 3
    assert sides.get_data("EURUSD", "1d").close[0] == 2, "the one that is left needs no words"


def test_where_several_are_meant_each_method_lists_them(sides: Any, tmp_path: Path) -> None:
    named: dict[str, Any] = {
        "get_data": lambda: sides.get_data("EURUSD", "1d"),
        "load_data": lambda: sides.load_data("EURUSD", "1d"),
        "get_summary": lambda: sides.get_summary("EURUSD", "1d"),
        "find_gaps": lambda: sides.find_gaps("EURUSD", "1d"),
        "check_quality": lambda: sides.check_quality("EURUSD", "1d"),
        "export": lambda: sides.export("EURUSD", "1d", tmp_path / "x.csv"),
        "changes": lambda: sides.changes("EURUSD", "1d"),
        "undo": lambda: sides.undo("EURUSD", "1d"),
        "forget": lambda: sides.forget("EURUSD", "1d", None, None),
        "resample": lambda: sides.resample("EURUSD", "1d", "1w"),
        "delete": lambda: sides.delete("EURUSD", "1d", provider="IB"),
    }
    for call in named.values():
        with pytest.raises(InvalidArgumentError, match="is stored as 2 series: IB EURUSD 1d BID"):
            call()


def test_unknown_words_are_refused_by_name_before_anything_is_asked(tmp_path: Path) -> None:
    wrong: list[tuple[str, Any, str]] = [
        ("instrument_type", "stonk", "use one of stock, etf, index"),
        ("what_to_show", "trades", "use one of TRADES, MIDPOINT"),
        ("what_to_show", "", "use one of TRADES"),
        ("session", "night", "use one of regular, extended"),
        ("currency", "US D", "1 to 32 printable characters"),
        ("exchange", "x" * 10_000, "1 to 32 printable characters"),
        ("exchange", "\x01", "1 to 32 printable characters"),
        ("session", 7, "session must be str or None, not 7"),
        ("currency", "\ud800", "half of a surrogate pair"),
    ]
    with DataManager(tmp_path, source=_Sides(), env={}) as data:
        for name, value, says in wrong:
            words: dict[str, Any] = {name: value}
            with pytest.raises(InvalidArgumentError, match=says):
                data.load_data("EURUSD", "1d", "2024-01-01", mode="full", **words)
            with pytest.raises(InvalidArgumentError, match=says):
                data.get_data("EURUSD", "1d", **words)
            with pytest.raises(InvalidArgumentError, match=says):
                data.changes("EURUSD", "1d", **words)
        with pytest.raises(
            TypeError, match=r"get_data\(\) got an unexpected keyword argument 'side'"
        ):
            data.get_data("EURUSD", "1d", side="BID")  # type: ignore[call-arg]
        with pytest.raises(InvalidArgumentError, match="is nothing that forex has: use one of MID"):
            data.load_data("EURUSD", "1d", instrument_type="forex", what_to_show="TRADES")
        assert data.series() == []
    assert _Sides.asked == []


class _Sides(BarSource):
    """Forex whose every bar tells by its price which series was asked for."""

    provider = "TEST"
    asked: list[tuple[Any, ...]] = []  # noqa: RUF012 - of the class on purpose
    contract = Contract("forex", "IDEALPRO", "USD")

    def validate_symbol(
        self, symbol: str, timeframe: str, instrument_type: str | None = None
    ) -> Contract:
        type(self).asked.append(("validate_symbol", instrument_type))
        return self.contract

    async def fetch(
        self,
        symbol: str,
        timeframe: str,
        start: datetime,
        end: datetime,
        *,
        instrument_type: str | None = None,
        what_to_show: str = "",
        session: str = "",
    ) -> Any:
        type(self).asked.append(("fetch", instrument_type, what_to_show, session))
        price = {"MIDPOINT": 1.5, "BID": 1.0, "ASK": 2.0}[what_to_show] + 10 * (
            session == "extended"
        )
        first = max(start, datetime(2024, 7, 1, tzinfo=UTC)).replace(tzinfo=None)
        stamps = np.arange(np.datetime64(first, "D"), np.datetime64(end.replace(tzinfo=None), "D"))
        return {"timestamp": stamps, **{name: np.full(len(stamps), price) for name in _PRICES}}


@pytest.fixture
def source() -> Any:
    _Sides.asked = []
    yield _Sides()
    _Sides.asked = []


def test_words_reach_a_source_and_make_series_of_their_own(source: Any, tmp_path: Path) -> None:
    with DataManager(tmp_path, source=source, env={}) as data:

        def load(**words: Any) -> float:
            bars = data.load_data(
                "EURUSD", "1d", "2024-07-01", "2024-07-03", mode="full", validate=False, **words
            ).result()
            return float(bars.close[0])

        assert load() == 1.5, "forex has no trades: midpoints are the default"
        assert load(what_to_show="BID") == 1.0
        assert load(what_to_show="ASK", session="extended") == 12.0
        assert load(instrument_type="forex") == 1.5
        assert ("fetch", "forex", "BID", "regular") in source.asked
        assert ("fetch", "forex", "ASK", "extended") in source.asked
        assert [one.what_to_show for one in data.series()] == ["ASK", "BID", "MIDPOINT"]
        assert {one.instrument_type for one in data.series()} == {"forex"}
        assert {(one.exchange, one.currency) for one in data.series()} == {("IDEALPRO", "USD")}
        asked = len(source.asked)
        assert load() == 1.5, "a second load of each asks for nothing"
        assert load(what_to_show="BID") == 1.0
        assert len(source.asked) == asked
        for one in data.series():
            assert len(data.get_data("EURUSD", "1d", **one.words)) == 3
            assert data.delete("EURUSD", "1d", provider="TEST", **one.words) == 3


def test_a_contract_that_is_another_is_refused(source: Any, tmp_path: Path) -> None:
    def load(data: DataManager, **words: Any) -> Any:
        return data.load_data(
            "EURUSD", "1d", "2024-07-01", "2024-07-03", mode="full", **words
        ).result()

    with DataManager(tmp_path, source=source, env={}) as data:
        with pytest.raises(InvalidArgumentError, match="TEST says that EURUSD is forex IDEALPRO"):
            load(data, instrument_type="crypto")
        with pytest.raises(InvalidArgumentError, match="forex IDEALPRO USD"):
            load(data, currency="CHF")
        assert data.series() == []


def test_a_source_that_knows_nothing_of_it_is_not_asked_for_other_than_the_usual(
    tmp_path: Path,
) -> None:
    class Plain(BarSource):
        provider = "PLAIN"
        fetched = 0

        def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
            self.fetched += 1
            return []

    source = Plain()
    with DataManager(tmp_path, source=source, env={}) as data:
        for words in ({"what_to_show": "BID"}, {"session": "extended"}):
            with pytest.raises(
                InvalidArgumentError, match="the source of PLAIN has bars of TRADES"
            ):
                data.load_data("ACME", "1d", "2024-07-01", "2024-07-03", mode="full", **words)  # type: ignore[arg-type]
        with pytest.raises(NoDataError):
            data.load_data("ACME", "1d", "2024-07-01", "2024-07-03", mode="full").result()
    assert source.fetched > 0


def test_source_calls_take_the_words_too(source: Any) -> None:
    async def ask(**words: Any) -> Any:
        calls = SourceCalls(source)
        return (await calls.fetch("EURUSD", "1d", "2024-07-01", "2024-07-02", **words)).bars

    bars = asyncio.run(ask(instrument_type="forex", what_to_show="ASK"))
    assert bars.close[0] == 2.0
    with pytest.raises(InvalidArgumentError, match="use one of TRADES"):
        asyncio.run(ask(what_to_show="x"))


def test_delete_takes_each_part_as_it_stands(sides: Any) -> None:
    with pytest.raises(NotFoundError, match="there is no series IB EURUSD 1d bid"):
        sides.delete("EURUSD", "1d", provider="IB", what_to_show="bid")
    assert len(sides.series()) == 2
