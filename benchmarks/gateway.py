"""Bars of a gateway: CPU of our layer against ib_async alone, 100,000 bars on disk, and how soon a cancel is there.

The gateway is the simulator, in a process of its own, so that none of its work is counted.
"""

from __future__ import annotations

import asyncio
import csv
import logging
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ktrdr_core import DataManager
from ktrdr_core.data import GatewayOptions, IbGatewaySource, SourceCalls
from ktrdr_core.errors import OperationCancelledError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from ktrdr_core.bars import Bars
    from ktrdr_core.testing import IbGatewaySimulator

_START = datetime(2023, 1, 2, tzinfo=UTC)
# Of one request of 100,000 minutes, and of those that a load makes: a week.
_SPANS = {"one answer": timedelta(minutes=100_000), "answers of a week": timedelta(days=7)}
# What our layer may add to the CPU of ib_async alone.
_ADDED = 0.10
_REACHED, _ENDED = 0.050, 0.300
# How long an answer may take, on a busy machine too: ib_async gives an empty one after a minute. Seconds.
_PATIENCE = 600.0


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure, and give one line a figure.

    Parameters
    ----------
    quick
        A tenth of the bars, and few rounds.
    """
    logging.getLogger("ib_async").setLevel(logging.CRITICAL)
    count, rounds = (10_000, 2) if quick else (100_000, 7)
    with _gateway(count, 0.0) as (port, _):
        lines = [line for name in _SPANS for line in _cpu(port, count, name, rounds)]
        lines += _stored(port, count, 1 if quick else 3)
    with _gateway(1000, 600.0) as (port, pipe):
        return lines + _cancels(port, pipe, 5 if quick else 100)


# ---- the gateway


@contextmanager
def _gateway(count: int, answer_seconds: float) -> Iterator[tuple[int, Connection]]:
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, count, answer_seconds), daemon=True)
    process.start()
    try:
        yield here.recv(), here
    finally:
        here.send(None)
        process.join(20)


def _serve(pipe: Connection, count: int, answer_seconds: float) -> None:
    from ktrdr_core.testing import IbGatewaySimulator, SimulatedContract

    rng = np.random.default_rng(7)
    close = (100 + rng.normal(0, 0.05, count).cumsum()).round(2)
    first = np.datetime64(_START.replace(tzinfo=None), "s")
    bars = {
        "timestamp": first + np.arange(count) * np.timedelta64(60, "s"),
        "open": close,
        "high": (close + 0.1).round(2),
        "low": (close - 0.1).round(2),
        "close": close,
        "volume": rng.integers(1, 100_000, count).astype(float),
    }
    coin = SimulatedContract("BTC", "CRYPTO")
    with IbGatewaySimulator({(coin, "1 min"): bars}, answer_seconds=answer_seconds) as one:
        pipe.send(one.port)
        while (asked := pipe.recv()) is not None:
            kind, number = asked
            one.wait_until(partial(_came, kind, number))
            pipe.send([each.at for each in one.requests if each.kind == kind][number - 1])


def _came(kind: str, number: int, gateway: IbGatewaySimulator) -> bool:
    return gateway.count(kind) >= number


def _ranges(count: int, span: timedelta) -> list[tuple[datetime, datetime]]:
    end = _START + timedelta(minutes=count)
    edges = [_START]
    while edges[-1] < end:
        edges.append(min(edges[-1] + span, end))
    return list(zip(edges, edges[1:], strict=False))


# ---- CPU


def _cpu(port: int, count: int, name: str, rounds: int) -> list[dict[str, Any]]:
    """Milliseconds of CPU of this process for the same answers, in turn, the best of each."""
    ranges = _ranges(count, _SPANS[name])
    best: dict[str, float] = {}
    for _ in range(rounds):
        for who, ask in (("alone", _by_ib_async), ("ours", _by_source)):
            taken = asyncio.run(ask(port, ranges, count))
            best[who] = min(best.get(who, float("inf")), 1000 * taken)
    alone = f"{count:,} bars in {name}, ib_async alone"
    limit = f"ib_async alone and {_ADDED:.0%}"
    return [
        {"case": alone, "value": best["alone"], "unit": "ms CPU"},
        {
            "case": f"{count:,} bars in {name}, IbGatewaySource",
            "value": best["ours"],
            "unit": "ms CPU",
            "ratio": best["ours"] / (best["alone"] * (1 + _ADDED)),
            "against": limit,
        },
    ]


async def _by_ib_async(port: int, ranges: list[tuple[datetime, datetime]], count: int) -> float:
    from ib_async import IB, Crypto, StartupFetchNONE

    ib = IB()
    await ib.connectAsync("127.0.0.1", port, 7, readonly=True, fetchFields=StartupFetchNONE)
    try:
        contract = Crypto("BTC", "PAXOS", "USD")
        await ib.qualifyContractsAsync(contract)
        began = time.process_time()
        answers = []
        for start, end in ranges:
            answers.append(await _asked_of(ib, contract, start, end))
        taken = time.process_time() - began
        came = sum(
            start <= bar.date < end
            for bars, (start, end) in zip(answers, ranges, strict=True)
            for bar in bars
        )
    finally:
        ib.disconnect()
    _check(came, count)
    return taken


async def _asked_of(ib: Any, contract: Any, start: datetime, end: datetime) -> Any:
    """Ask ib_async for as much as ours asks for."""
    asked = f"{(end - start) // timedelta(days=1) + 2} D"
    at = f"{end:%Y%m%d-%H:%M:%S}"
    return await ib.reqHistoricalDataAsync(
        contract, at, asked, "1 min", "AGGTRADES", False, 2, timeout=_PATIENCE
    )


def _source(port: int) -> IbGatewaySource:
    # On a busy machine the simulator is silent while it makes a long answer.
    options = GatewayOptions(port=port, client_ids=(8,), dead_after=_PATIENCE)
    return IbGatewaySource(options=options, answer_limit=_PATIENCE, env={})


async def _by_source(port: int, ranges: list[tuple[datetime, datetime]], count: int) -> float:
    with _source(port) as source:
        calls = SourceCalls(source)
        await calls.validate_symbol("BTC.USD", "1m")
        began = time.process_time()
        came = 0
        for start, end in ranges:
            answer = await calls.fetch("BTC.USD", "1m", start, end)
            came += len(cast("Bars", answer.bars))
        taken = time.process_time() - began
    _check(came, count)
    return taken


def _check(came: int, count: int) -> None:
    if came != count:
        raise RuntimeError(f"{came} of {count} bars")


# ---- on disk


def _stored(port: int, count: int, rounds: int) -> list[dict[str, Any]]:
    """Milliseconds from the question until the bars lie on the disk, and of CPU."""
    ranges = _ranges(count, _SPANS["answers of a week"])
    best: dict[str, tuple[float, float]] = {}
    contenders: dict[str, Callable[[Path], None]] = {
        "ib_async, pandas and CSV": lambda folder: asyncio.run(_to_csv(port, ranges, folder)),
        "IbGatewaySource and DataManager": lambda folder: _to_store(port, count, folder),
    }
    for _ in range(rounds):
        for name, work in contenders.items():
            with tempfile.TemporaryDirectory() as folder:
                wall, cpu = time.perf_counter(), time.process_time()
                work(Path(folder))
                taken = 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)
            best[name] = min(best.get(name, taken), taken)
    peer, ours = contenders
    return [
        line
        for place, unit in enumerate(("ms", "ms CPU"))
        for line in (
            {"case": f"{count:,} bars stored, {peer}", "value": best[peer][place], "unit": unit},
            {
                "case": f"{count:,} bars stored, {ours}",
                "value": best[ours][place],
                "unit": unit,
                "ratio": best[ours][place] / best[peer][place],
                "against": peer,
            },
        )
    ]


async def _to_csv(port: int, ranges: list[tuple[datetime, datetime]], folder: Path) -> None:
    import pandas as pd
    from ib_async import IB, Crypto, StartupFetchNONE, util

    ib = IB()
    await ib.connectAsync("127.0.0.1", port, 7, readonly=True, fetchFields=StartupFetchNONE)
    try:
        contract = Crypto("BTC", "PAXOS", "USD")
        await ib.qualifyContractsAsync(contract)
        frames = []
        for start, end in ranges:
            bars = await _asked_of(ib, contract, start, end)
            frames.append(util.df(bars))
    finally:
        ib.disconnect()
    table = pd.concat(frames).drop_duplicates("date").sort_values("date")
    table.to_csv(folder / "BTC.csv", index=False, quoting=csv.QUOTE_MINIMAL)


def _to_store(port: int, count: int, folder: Path) -> None:
    end = _START + timedelta(minutes=count)
    with _source(port) as source:
        with DataManager(folder, source=source, env={}) as data:
            load = data.load_data("BTC.USD", "1m", _START, end, mode="full", validate=False)
            _check(len(load.result()), count)


# ---- cancels


def _cancels(port: int, pipe: Connection, rounds: int) -> list[dict[str, Any]]:
    """Seconds from a cancel until the gateway sees it, and until the operation has ended."""
    reached, ended = [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        _source(port) as source,
        DataManager(folder, source=source, env={}) as data,
    ):
        for number in range(1, rounds + 1):
            load = data.load_data("BTC.USD", "1m", _START, _START + timedelta(hours=9), mode="full")
            pipe.send(("history", number))
            pipe.recv()
            began, wall = time.perf_counter(), time.time()
            load.cancel()
            try:
                load.result()
            except OperationCancelledError:
                ended.append(time.perf_counter() - began)
            pipe.send(("cancel history", number))
            reached.append(pipe.recv() - wall)
    return [
        _limit(f"a cancel is at the gateway, the longest of {rounds}", max(reached), _REACHED),
        _limit(f"a cancelled load has ended, the longest of {rounds}", max(ended), _ENDED),
        _limit("a cancel is at the gateway, the median", float(np.median(reached)), _REACHED),
        _limit("a cancelled load has ended, the median", float(np.median(ended)), _ENDED),
    ]


def _limit(case: str, seconds: float, limit: float) -> dict[str, Any]:
    return {
        "case": case,
        "value": 1000 * seconds,
        "unit": "ms",
        "ratio": seconds / limit,
        "against": f"{1000 * limit:g} ms",
    }
