"""Bars of a host service as an Arrow stream and as JSON: what the adapter asks for, and that both are the same bars."""

from __future__ import annotations

import json
import random
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

import soak
from ktrdr_core import Bars, DataManager, errors
from ktrdr_core.data import ReplaySource
from ktrdr_core.hosts.ib.app import create_app
from threaded_server import Handler, answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pa = pytest.importorskip("pyarrow")

STREAM = "application/vnd.apache.arrow.stream"
NAMES = ("open", "high", "low", "close", "volume")
START = datetime(2024, 1, 2, tzinfo=UTC)
END = START + timedelta(days=2)
#: A stamp, as nanoseconds, and the five numbers, of which each may be missing.
Row = tuple[int, tuple[float | None, ...]]
#: What a host answers to a question for bars: its content type and body.
Answer = tuple[str, bytes]


@dataclass
class _Host:
    """Knows every symbol, and answers to a question for bars what a test has put in."""

    answer: Callable[[], Answer]
    accepts: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def host() -> Iterator[_Host]:
    host = _Host(lambda: as_json([]))

    class Knowing(Handler):
        def do_GET(self) -> None:
            self.reply({"success": True, "timestamp": None, "error": None})

        def do_POST(self) -> None:
            self.asked()
            if self.path == "/data/validate":
                self.reply({"success": True, "is_valid": True})
                return
            host.accepts.append(self.headers["Accept"])
            content_type, content = host.answer()
            self.head(content, content_type)
            self.wfile.write(content)

    with answering(Knowing) as host.url:
        yield host


def load(host: _Host, folder: Path, answer: Answer) -> tuple[Bars, list[str]]:
    """Load a new series from a host that answers this; its bars, and what the load warns of."""
    host.answer = lambda: answer
    with DataManager(folder, host.url, env={}) as data:
        loading = data.load_data("EUR", "1m", START, END, mode="full")
        bars = loading.result(60)
        return bars, loading.warnings


def as_json(rows: list[Row]) -> Answer:
    bars = {}
    for stamp, values in rows:
        text = (datetime(1970, 1, 1) + timedelta(microseconds=stamp // 1000)).isoformat() + "Z"
        bars[text] = dict(zip(NAMES, values, strict=True))
    answer = {"success": True, "data": json.dumps(bars), "rows": len(bars), "error": None}
    return "application/json", json.dumps(answer).encode()


def as_arrow(rows: list[Row], unit: str = "ns", batch: int = 1000, **options: Any) -> Answer:
    scale = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit]
    stamps = pa.array([stamp // scale for stamp, _ in rows], pa.timestamp(unit, "UTC"))
    columns = {
        name: pa.array([values[i] for _, values in rows], pa.float64())
        for i, name in enumerate(NAMES)
    }
    return STREAM, stream_of(pa.table({"timestamp": stamps, **columns}), batch, **options)


def stream_of(table: Any, batch: int = 1000, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    writing = pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options))
    with writing as writer:
        writer.write_table(table, max_chunksize=batch)
    return bytes(sink.getvalue())


def any_number(rng: random.Random) -> float:
    bits = struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]
    finite = bits if bits == bits and abs(bits) != float("inf") else 1.5
    return rng.choice([finite, float(rng.randrange(10**6)), round(rng.uniform(-50, 50), 2), -0.0])


def any_rows(rng: random.Random, missing: float) -> list[Row]:
    first = int(START.timestamp()) * 10**9
    minutes = sorted(rng.sample(range(2 * 24 * 60), rng.randint(1, 60)))
    if rng.random() < 0.3:
        rng.shuffle(minutes)
    rows: list[Row] = []
    for minute in minutes:
        values = [any_number(rng) for _ in NAMES]
        rows.append(
            (
                first + minute * 60 * 10**9,
                tuple(None if rng.random() < missing else value for value in values),
            )
        )
    return rows


def bits(bars: Bars) -> list[bytes]:
    columns = (bars.time, bars.open, bars.high, bars.low, bars.close, bars.volume)
    return [column.tobytes() for column in columns]


def test_an_arrow_stream_and_json_of_the_same_rows_are_the_same_bars_bit_for_bit(
    host: _Host, tmp_path: Path
) -> None:
    rng = random.Random(17)
    for case in range(soak.count(12, 1000)):
        rows = any_rows(rng, rng.choice([0, 0, 0.05]))
        if all(None in values[:4] for _, values in rows):
            continue
        unit, batch = rng.choice(["s", "ms", "us", "ns"]), rng.randint(1, 70)
        by_json = load(host, tmp_path / f"{case}.json", as_json(rows))
        by_arrow = load(host, tmp_path / f"{case}.arrow", as_arrow(rows, unit, batch))
        assert bits(by_arrow[0]) == bits(by_json[0]), rows
        assert by_arrow[1] == by_json[1]


def test_the_adapter_asks_for_arrow_and_takes_json(host: _Host, tmp_path: Path) -> None:
    rows: list[Row] = [(int(START.timestamp()) * 10**9, (1.0, 2.0, 0.5, 1.5, 7.0))]
    bars, _ = load(host, tmp_path, as_json(rows))
    assert len(bars) == 1
    assert host.accepts
    for accept in host.accepts:
        kinds = [kind.partition(";")[0].strip() for kind in accept.split(",")]
        assert kinds == [STREAM, "application/json"]


def test_a_row_without_a_price_is_named_and_the_others_are_kept(
    host: _Host, tmp_path: Path
) -> None:
    first = int(START.timestamp()) * 10**9
    rows: list[Row] = [
        (first + minute * 60 * 10**9, (1.0, 2.0, 0.5, None if minute == 1 else 1.5, None))
        for minute in range(3)
    ]
    bars, warnings = load(host, tmp_path, as_arrow(rows))
    assert [str(stamp)[14:16] for stamp in bars.time] == ["00", "02"]
    assert list(bars.volume) == [-1, -1]
    assert any("2024-01-02T00:01:00.000Z has no number `close`" in warning for warning in warnings)


def test_a_stream_without_the_mark_of_its_end_may_lack_bars(host: _Host, tmp_path: Path) -> None:
    first = int(START.timestamp()) * 10**9
    rows: list[Row] = [(first + i * 60 * 10**9, (1.0, 2.0, 0.5, 1.5, 7.0)) for i in range(3)]
    content_type, stream = as_arrow(rows)
    bars, warnings = load(host, tmp_path, (content_type, stream[:-8]))
    assert len(bars) == 3
    assert any("may lack bars" in warning and "its end" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda rows: as_arrow(rows, compression="zstd")[1], "compressed (ZSTD)"),
        (lambda rows: as_arrow(rows)[1][:-20], "cut off"),
        (lambda rows: as_json(rows)[1], "message of Arrow's streaming format"),
        (lambda rows: stream_of(pa.table({"timestamp": [1], "price": [2.0]})), "no column open"),
    ],
    ids=["compressed", "cut", "json", "columns"],
)
def test_a_stream_that_cannot_be_read_is_an_error_that_names_what_came(
    host: _Host, tmp_path: Path, change: Callable[[list[Row]], bytes], named: str
) -> None:
    rows: list[Row] = [(int(START.timestamp()) * 10**9, (1.0, 2.0, 0.5, 1.5, 7.0))]
    with pytest.raises(errors.KtrdrError) as raised:
        load(host, tmp_path, (STREAM, change(rows)))
    assert named in str(raised.value)
    assert "/data/historical for EUR 1m from 2024-01-02" in str(raised.value)


def test_what_our_host_gives_as_a_stream_is_what_it_gives_as_json(
    host: _Host, tmp_path: Path
) -> None:
    minutes = [f"2024-01-02T00:{minute:02}:00" for minute in range(60) if minute % 7]
    price = [0.1 * minute for minute in range(len(minutes))]
    columns = dict.fromkeys(("open", "high", "low", "close"), price)
    volume = [None if minute % 5 == 0 else float(minute) for minute in range(len(minutes))]
    source = ReplaySource({("EUR", "1m"): {"timestamp": minutes, **columns, "volume": volume}})
    asked = {"symbol": "EUR", "timeframe": "1m", "start": "2024-01-02", "end": "2024-01-04"}
    with TestClient(create_app(source), base_url="http://localhost") as client:
        loaded = []
        for accept in (host_accept(host, tmp_path), "application/json"):
            answer = client.post("/data/historical", json=asked, headers={"Accept": accept})
            came = answer.headers["Content-Type"], answer.content
            loaded.append(load(host, tmp_path / accept[:20].replace("/", "."), came))
            assert answer.headers["Content-Type"].startswith(accept.partition(",")[0])
    assert bits(loaded[0][0]) == bits(loaded[1][0])
    assert loaded[0][1] == loaded[1][1]
    assert list(loaded[0][0].volume) == [-1 if one is None else one for one in volume]


def host_accept(host: _Host, folder: Path) -> str:
    """Say what the adapter sends."""
    load(
        host,
        folder / "asked",
        as_json([(int(START.timestamp()) * 10**9, (1.0, 2.0, 0.5, 1.5, 7.0))]),
    )
    return host.accepts[-1]


def test_bars_of_bids_are_asked_for_as_json_and_an_arrow_stream_of_them_is_refused(
    host: _Host, tmp_path: Path
) -> None:
    first = int(START.timestamp()) * 10**9
    rows: list[Row] = [(first + minute * 60 * 10**9, (1.0,) * 5) for minute in range(5)]

    def load_bids(folder: Path) -> Bars:
        with DataManager(folder, host.url, env={}) as data:
            asked = data.load_data("EUR", "1m", START, END, mode="full", what_to_show="BID")
            try:
                return asked.result(60)
            finally:
                stored = sum(series.bars for series in data.series())
                assert stored == (len(rows) if asked.status == "completed" else 0)

    host.answer = lambda: as_arrow(rows)
    with pytest.raises(errors.ProtocolError, match="does not say that its bars are BID"):
        load_bids(tmp_path / "arrow")
    host.answer = lambda: as_json(rows)
    with pytest.raises(errors.ProtocolError, match="does not say that its bars are BID"):
        load_bids(tmp_path / "json")
    kind, text = as_json(rows)
    told = {**json.loads(text), "what_to_show": "BID", "session": "regular"}
    host.answer = lambda: (kind, json.dumps(told).encode())
    assert len(load_bids(tmp_path / "told")) == len(rows)
    assert not [accept for accept in host.accepts if STREAM in accept]
