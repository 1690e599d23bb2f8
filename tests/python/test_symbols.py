"""A symbol is any printable text: on its way to the host, into the store, into files and over the command line."""

from __future__ import annotations

import json
import threading
import unicodedata
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from commands import STRATEGY, run
from ktrdr_core import DataManager, TrainingManager, _core, errors
from ktrdr_core.hosts.ib.app import create_app
from ktrdr_core.hosts.ib.replay import Bar, Replay
from own_bars import columns, stored
from soak import count

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: As Interactive Brokers and other vendors write them, and as nobody should.
SYMBOLS = [
    "AAPL",
    "BRK B",
    "BRK.B",
    "M&M",
    "BTC/USDT:USDT",
    "$SPX",
    "^GSPC",
    "AAPL  250117C00150000",
    "ES=F",
    "100%",
    "BTC%2FUSDT",
    "a+b?c#d",
    "[bold]X[/bold]",
    "<b>X</b>",
    '"quoted"\'',
    "..",
    "-X",
    "7203.T",
    "貴州茅台",
    "É",
    "🚀",
    "x" * 128,
]
HOSTILE = [
    "",
    "   ",
    "\t\n",
    "A\nB",
    "A\x00B",
    "\x1b[31mA",
    "A\x7f",
    "A\x9b",
    "A\u202eB",
    "A\u200b",
    "\ufeffA",
    "A\u2028B",
    "A\u00a0B",
    "\U000e0041",
    "\ue000",
    "\uffff",
    "x" * 129,
    "é" * 65,
    "x" * 10_240,
    "\ud800",
    "A\udcff",
]


@contextmanager
def host(symbols: list[str]) -> Iterator[str]:
    """Serve three days of each."""
    first = datetime(2024, 1, 2, tzinfo=UTC)
    bars = [Bar(first + timedelta(days=day), 10, 12, 9, 11, 100.0 + day) for day in range(3)]
    app = create_app(Replay({symbol: {"1d": bars} for symbol in symbols}))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    socket = server.config.bind_socket()
    serving = threading.Thread(target=server.run, args=([socket],))
    serving.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        serving.join()
        socket.close()


def test_every_symbol_is_loaded_from_the_host_stored_and_listed(tmp_path: Path) -> None:
    with host(SYMBOLS) as url, DataManager(tmp_path, url, env={}) as data:
        for symbol in SYMBOLS:
            load = data.load_data(f" {symbol}\t", "1d", "2024-01-02", "2024-01-04", mode="full")
            bars = load.result(60)
            assert (bars.symbol, len(bars)) == (symbol, 3)
            assert len(data.load_data(symbol, "1d").result(60)) == 3
        assert [series.symbol for series in data.series()] == sorted(SYMBOLS, key=str.encode)


def test_the_host_knows_a_symbol_in_the_path_of_a_request() -> None:
    # A point or two alone are what every client leaves out of a path.
    with host(SYMBOLS) as url, httpx.Client(base_url=url) as client:
        for symbol in set(SYMBOLS) - {".."}:
            encoded = "".join(f"%{byte:02X}" for byte in symbol.encode())
            answer = client.get(f"/data/symbol-info/{encoded}").json()
            assert answer["is_valid"], symbol
            assert answer["contract_info"]["symbol"] == symbol
        assert not client.get("/data/symbol-info/NO%2FPE").json()["is_valid"]


@pytest.mark.parametrize("symbol", HOSTILE, ids=ascii)
def test_a_hostile_symbol_is_refused_before_any_network(symbol: str, tmp_path: Path) -> None:
    # Nothing listens there.
    with DataManager(tmp_path, "http://127.0.0.1:9", env={}) as data:
        for refused in (
            lambda: data.load_data(symbol, "1d", "2024-01-02", "2024-01-04", mode="full"),
            lambda: data.load_data(symbol, "1d"),
            lambda: data.store(symbol, "1d", columns()),
            lambda: data.import_csv(tmp_path / "missing.csv", symbol, "1d"),
        ):
            with pytest.raises(errors.InvalidArgumentError, match="symbol") as caught:
                refused()
            assert len(caught.value.message) < 500
            assert caught.value.message.isprintable()
        assert data.pool_stats()["connections_created"] == 0
        assert data.series() == []


def refused(symbol: str) -> bool:
    try:
        _core.check_load(_core.LoadRequest(symbol=symbol, timeframe="1d", mode="local"), None, {})
    except errors.InvalidArgumentError:
        return True
    return False


def test_every_character_that_can_be_seen_may_stand_in_a_symbol_and_no_other() -> None:
    step = count(7, 1)
    for number in (*range(0x3000), *range(0x3000, 0x110000, step)):
        kind = unicodedata.category(chr(number))
        if kind == "Cs":
            continue
        if kind[0] in "LMNPS":
            assert not refused(f"A{chr(number)}B"), hex(number)
        elif kind in ("Cc", "Cf", "Zl", "Zp", "Co") or (kind == "Zs" and number != 0x20):
            assert refused(f"A{chr(number)}B"), hex(number)


printable = st.text(
    st.characters(exclude_categories=["C", "Zl", "Zp", "Zs"], include_characters=" "), min_size=1
).map(str.strip)


def test_a_training_takes_the_same_symbols(tmp_path: Path) -> None:
    def train(symbols: list[str]) -> errors.KtrdrError:
        with (
            DataManager(tmp_path, env={}) as data,
            TrainingManager(data, tmp_path / "models", env={}) as manager,
        ):
            with pytest.raises(errors.KtrdrError) as caught:
                manager.train_multi_symbol_strategy(STRATEGY, symbols, ["1d"]).result(60)
            return caught.value

    assert "BRK B" in train([" BRK B "]).message
    assert "named twice" in train(["BRK B", "BRK B "]).message
    for symbol in ("", " ", "A\nB", "x" * 129):
        error = train(["AAPL", symbol])
        assert isinstance(error, errors.InvalidArgumentError)
        assert error.message.startswith('symbols "')


@settings(max_examples=count(50, 2000), deadline=None)
@given(printable.filter(lambda text: 0 < len(text.encode()) <= 128))
def test_any_printable_text_is_a_symbol_of_the_store(symbol: str) -> None:
    with TemporaryDirectory() as folder, DataManager(folder, env={}) as data:
        assert data.store(symbol, "1d", columns(3)).result(60).symbol == symbol
        assert data.series()[0].symbol == symbol
        assert data.load_data(symbol, "1d").result(60).symbol == symbol


def test_two_spellings_of_a_symbol_are_one_request(tmp_path: Path) -> None:
    with DataManager(tmp_path, env={}) as data:
        first = data.load_data("BRK B", "1d", operation_id="mine")
        assert data.load_data(" BRK B ", "1d", operation_id="mine").id == first.id


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_command_line_shows_lists_and_imports_it(symbol: str, tmp_path: Path) -> None:
    stored(tmp_path, columns(3), symbol)
    shown = run("data", "show", "--data-dir", tmp_path, "--json", "--", symbol, "1d")
    assert json.loads(shown.stdout)["symbol"] == symbol
    plain = run("data", "show", "--data-dir", tmp_path, "--", symbol, "1d")
    assert plain.stdout.startswith(f"{symbol} 1d: 3 bars")
    file = tmp_path / "prices.csv"
    file.write_text("date,open,high,low,close\n2024-02-01,1,2,1,2\n")
    given = [file, f"--symbol={symbol}", "--timeframe", "1d", "--data-dir", tmp_path]
    assert run("data", "import", *given).returncode == 0
    listed = run("data", "list", "--data-dir", tmp_path, "--json").stdout
    assert [(one["symbol"], one["bars"]) for one in json.loads(listed)] == [(symbol, 4)]


@pytest.mark.parametrize("symbol", ["", " ", "A\nB", "\x1b[31mA", "x" * 10_240, "A\udcff"])
def test_the_command_line_refuses_what_is_none_and_makes_no_database(
    symbol: str, tmp_path: Path
) -> None:
    for words in (["load", symbol, "1d", "--mode", "local"], ["show", symbol, "1d"]):
        done = run("data", *words, "--data-dir", tmp_path / "bars")
        assert done.returncode == 2
        assert "symbol" in done.stderr.lower()
        assert len(done.stderr) < 1000
    assert not (tmp_path / "bars").exists()
