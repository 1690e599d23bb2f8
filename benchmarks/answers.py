"""Bars of the IB host service decoded: JSON and Arrow, against `json.loads` and a DataFrame made of it.

The C++ figures come from `decode_answers.cpp`, built on request into `build/bench-core`; all are CPU times.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]

from .build import build, quiet

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES = ("open", "high", "low", "close", "volume")


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure, and give one line a figure.

    Parameters
    ----------
    quick
        Small answers and few rounds.
    """
    program = build("bench-core", "decode_answers", torch=False) / "cpp" / "data" / "decode_answers"
    sizes, rounds = ((1_000,), 3) if quick else ((2_000, 10_000, 100_000), 30)
    return [line for count in sizes for line in _measure(program, count, rounds)]


def _measure(program: Path, count: int, rounds: int) -> list[dict[str, Any]]:
    columns = _columns(count)
    body = _json(columns)
    with tempfile.TemporaryDirectory() as name:
        text, stream = Path(name) / "answer.json", Path(name) / "answer.arrow"
        text.write_text(body)
        _write_arrow(columns, stream)
        # In turn: what slows the machine down slows all of them.
        native: dict[str, float] = {}
        peers: dict[str, float] = {}
        for _ in range(3):
            lines = quiet(str(program), str(rounds), str(text), str(stream)).splitlines()
            for case, taken, bars in (line.split("\t") for line in lines):
                if int(bars) != count:
                    raise RuntimeError(f"{case}: {bars} of {count} bars")
                native[case] = min(native.get(case, float("inf")), float(taken))
            for case, decode in (("frame", _frame), ("loads", _loads)):
                peers[case] = min(peers.get(case, float("inf")), _best(decode, body))
            arrow = _best(_arrow_frame, stream.read_bytes())
            peers["pyarrow"] = min(peers.get("pyarrow", float("inf")), arrow)
    loads = f"json.loads and DataFrame, of {count:,}"
    ours = f"JSON of {count:,}, read_usual_historical"
    return [
        _line(loads, peers["frame"], peers["frame"], loads),
        _line(f"json.loads alone, of {count:,}", peers["loads"], peers["frame"], loads),
        _line(ours, native["json"], peers["frame"], loads),
        _line(f"JSON of {count:,} by value", native["json by value"], peers["frame"], loads),
        _line(f"Arrow of {count:,}, pyarrow to pandas", peers["pyarrow"], native["json"], ours),
        _line(f"Arrow of {count:,}, read_historical_arrow", native["arrow"], native["json"], ours),
    ]


def _columns(count: int) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    close = (100 + rng.normal(0, 0.05, count).cumsum()).round(2)
    return {
        "timestamp": np.datetime64("2020-01-02", "ns") + np.arange(count) * np.timedelta64(60, "s"),
        "open": close,
        "high": (close + 0.1).round(2),
        "low": (close - 0.1).round(2),
        "close": close,
        "volume": rng.integers(0, 100_000, count).astype(float),
    }


def _json(columns: dict[str, Any]) -> str:
    stamps = np.datetime_as_string(columns["timestamp"], "ms")
    rows = zip(*(columns[name].tolist() for name in _NAMES), strict=True)
    bars = {
        f"{stamp}Z": dict(zip(_NAMES, row, strict=True))
        for stamp, row in zip(stamps, rows, strict=True)
    }
    return json.dumps({"success": True, "data": json.dumps(bars), "rows": len(bars), "error": None})


def _write_arrow(columns: dict[str, Any], file: Path) -> None:
    stamps = pa.array(columns["timestamp"], pa.timestamp("ns", "UTC"))
    table = pa.table({**columns, "timestamp": stamps})
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


def _loads(body: str) -> Any:
    return json.loads(json.loads(body)["data"])


def _frame(body: str) -> pd.DataFrame:
    frame = pd.DataFrame.from_dict(_loads(body), orient="index")
    frame.index = pd.to_datetime(frame.index)
    return frame


def _arrow_frame(stream: bytes) -> pd.DataFrame:
    frame: pd.DataFrame = pa.ipc.open_stream(stream).read_pandas()
    return frame


def _best(decode: Callable[[Any], Any], body: Any) -> float:
    """Milliseconds of CPU, the best of three rounds."""
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        decode(body)
        best = min(best, time.process_time() - began)
    return best * 1000


def _line(case: str, value: float, peer: float, against: str) -> dict[str, Any]:
    return {
        "case": case,
        "value": value,
        "unit": "ms CPU",
        "ratio": value / peer,
        "against": against,
    }
