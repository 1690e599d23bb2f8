"""Each series that a gateway has of each kind of contract, the same whoever stands between; what it has not is refused."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from ib_bars import walk
from ktrdr_core import DataManager, errors
from ktrdr_core.data import IbDataAdapter, IbGatewaySource, SourceCalls
from ktrdr_core.testing import IbGatewaySimulator, SimulatedContract
from test_ib_gateway_routes import by_command, kept, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("ib_async")

_BARS = walk("2024-03-01", "2024-03-30")
_DAYS = ("2024-03-04", "2024-03-28")
# From the first bar on: what does not come before it is asked for once more, by itself or with what does not come behind the last
# one, as requests turn out fast or slow, and a request for both brings bars before the range, too.
_FROM_THE_OPEN = ("2024-03-04T09:00:00Z", "2024-03-28")
_QUOTES = {"MIDPOINT", "BID", "ASK", "BID_ASK"}
_VOLATILITY = {"HISTORICAL_VOLATILITY", "OPTION_IMPLIED_VOLATILITY"}
#: What the guide says that there is of each.
_HAS = {
    "AAPL": {"TRADES", "ADJUSTED_LAST"} | _QUOTES | _VOLATILITY,
    "SPX": {"TRADES"} | _VOLATILITY,
    "EUR.USD": _QUOTES,
    "BTC/USD": {"TRADES"} | _QUOTES,
    "ESM4": {"TRADES"} | _QUOTES,
}
_SHOWS = sorted({"TRADES", "ADJUSTED_LAST"} | _QUOTES | _VOLATILITY)
_WITHOUT_VOLUME = _QUOTES | _VOLATILITY


@pytest.fixture(scope="module")
def gateway() -> Iterator[IbGatewaySimulator]:
    contracts: list[Any] = [
        "AAPL",
        "EUR.USD",
        SimulatedContract("SPX", "IND"),
        SimulatedContract("BTC", "CRYPTO"),
        SimulatedContract("ES", "FUT", local_symbol="ESM4", expiry="20240621", multiplier="50"),
    ]
    with IbGatewaySimulator({(each, "1 min"): _BARS for each in contracts}) as one:
        yield one


@pytest.fixture(scope="module")
def source(gateway: IbGatewaySimulator) -> Iterator[IbGatewaySource]:
    with IbGatewaySource(port=gateway.port, env={}) as one:
        yield one


def fetched(source: IbGatewaySource, symbol: str, **series: Any) -> Any:
    calls = SourceCalls(source)
    return asyncio.run(calls.fetch(symbol, "1h", "2024-03-14", "2024-03-14", **series)).bars


@pytest.mark.parametrize("session", ["regular", "extended"])
@pytest.mark.parametrize("show", _SHOWS)
@pytest.mark.parametrize("symbol", list(_HAS))
def test_each_kind_of_contract_has_its_series(
    gateway: IbGatewaySimulator, source: IbGatewaySource, symbol: str, show: str, session: str
) -> None:
    # Of trades every kind has what it has of them: forex midpoints.
    if show != "TRADES" and show not in _HAS[symbol]:
        with pytest.raises(errors.InvalidArgumentError, match=r"is nothing that .* has") as refused:
            fetched(source, symbol, what_to_show=show, session=session)
        assert sorted(_HAS[symbol])[0] in str(refused.value)
        return
    bars = fetched(source, symbol, what_to_show=show, session=session)
    asked = [each.fields for each in gateway.requests if each.kind == "history"][-1]
    sent = {"EUR.USD": "MIDPOINT", "BTC/USD": "AGGTRADES"}.get(symbol, "TRADES")
    assert asked[18] == (sent if show == "TRADES" else show)
    regular = symbol in ("AAPL", "SPX") and session == "regular"
    assert asked[17] == str(int(regular))
    # Adjusted prices are given up to now alone.
    assert (asked[14] == "") == (show == "ADJUSTED_LAST")
    hours = {"AAPL": 16 if session == "extended" else 7, "SPX": 7}
    assert len(bars) == hours.get(symbol, 24 if symbol == "BTC/USD" else len(bars))
    assert 0 < len(bars) <= 24
    quoted = show in _WITHOUT_VOLUME or symbol == "EUR.USD"
    assert set((bars.volume < 0).tolist()) == {quoted}


def test_what_a_symbol_is_to_be_is_what_is_asked_for(gateway: IbGatewaySimulator) -> None:
    gateway.add(SimulatedContract("TWO", "STK"))
    gateway.add(SimulatedContract("TWO", "IND"))
    with IbGatewaySource(port=gateway.port, client_id=50, env={}) as source:
        for kind in ("stock", "index"):
            contract = asyncio.run(
                SourceCalls(source).validate_symbol("TWO", "1h", instrument_type=kind)
            )
            assert contract.asset_class == kind


@pytest.mark.parametrize("older", ["stock", "index"])
@pytest.mark.parametrize("kind", ["stock", "index"])
def test_where_bars_begin_is_told_of_what_the_symbol_is_to_be_whoever_stands_between(
    older: str, kind: str, tmp_path: Path
) -> None:
    kinds = {"stock": "STK", "index": "IND"}
    begins = {each: "2024-03-04" if each == older else "2024-03-18" for each in kinds}
    series = {
        (SimulatedContract("TWO", kinds[each]), "1 min"): walk(first, "2024-03-30")
        for each, first in begins.items()
    }
    with IbGatewaySimulator(series) as gateway, served(gateway) as url:
        first = IbDataAdapter(use_host_service=True, host_service_url=url, env={})
        calls = SourceCalls(first)
        for session in ("regular", "extended"):
            told = asyncio.run(
                calls.first_timestamp("TWO", "1h", instrument_type=kind, session=session)
            )
            assert f"{told:%Y-%m-%d}" == begins[kind]
        request = urllib.request.Request(
            f"{url}/data/validate",
            json.dumps({"symbol": "TWO", "timeframes": ["1h"], "instrument_type": kind}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert json.load(answer)["head_timestamps"]["1h"].startswith(begins[kind])
        for name, source in (
            ("served", first),
            ("direct", IbGatewaySource(port=gateway.port, env={})),
        ):
            with DataManager(tmp_path / name, source=source, env={}) as data:
                loading = data.load_data("TWO", "1h", *_DAYS, mode="full", instrument_type=kind)
                bars = loading.result(60)
            assert f"{bars.time[0]}"[:10] == begins[kind]
        source.close()
    assert kept(tmp_path / "served") == kept(tmp_path / "direct")


#: (symbol, timeframe, words): each is a series of its own.
_SERIES: list[tuple[str, str, dict[str, Any]]] = [
    ("AAPL", "1h", {}),
    ("AAPL", "1d", {}),
    *(("AAPL", "1h", {"what_to_show": show}) for show in ("MIDPOINT", "BID", "ASK", "BID_ASK")),
    ("AAPL", "1d", {"what_to_show": "ADJUSTED_LAST"}),
    ("AAPL", "1h", {"session": "extended"}),
    ("AAPL", "1d", {"session": "extended"}),
    ("AAPL", "1h", {"what_to_show": "BID", "session": "extended"}),
    ("EURUSD", "1h", {"instrument_type": "forex"}),
    ("EURUSD", "1h", {"instrument_type": "forex", "what_to_show": "BID_ASK"}),
    ("BTC/USD", "1h", {"instrument_type": "crypto"}),
    ("BTC/USD", "1h", {"instrument_type": "crypto", "what_to_show": "ASK"}),
]


def span_of(words: dict[str, Any]) -> tuple[str, str]:
    return _FROM_THE_OPEN if words.get("session") == "extended" else _DAYS


def loaded(data: DataManager) -> list[Any]:
    return [
        data.load_data(symbol, timeframe, *span_of(words), mode="full", **words).result(60)
        for symbol, timeframe, words in _SERIES
    ]


def test_the_stores_are_the_same_with_our_service_between_and_without_and_by_the_command_line(
    gateway: IbGatewaySimulator, tmp_path: Path
) -> None:
    with served(gateway) as url, DataManager(tmp_path / "served", url, env={}) as data:
        through = loaded(data)
    env = {"USE_IB_HOST_SERVICE": "false", "IB_GATEWAY_PORT": str(gateway.port)}
    with DataManager(tmp_path / "direct", env=env) as data:
        assert loaded(data) == through
    assert all(len(bars) > 0 for bars in through)
    assert kept(tmp_path / "served") == kept(tmp_path / "direct")
    for symbol, timeframe, words in _SERIES[:9:4]:
        options = [f"--{name.replace('_', '-')}={word}" for name, word in words.items()]
        for name, asked in (
            ("by command", ["--source", "gateway", "--gateway-port", str(gateway.port)]),
            ("in python", []),
        ):
            if asked:
                by_command(
                    tmp_path / name, symbol, timeframe, *asked, *options, span=span_of(words)
                ).check_returncode()
            else:
                with DataManager(tmp_path / name, env=env) as data:
                    data.load_data(symbol, timeframe, *span_of(words), mode="full", **words).result(
                        60
                    )
    assert kept(tmp_path / "by command") == kept(tmp_path / "in python")
