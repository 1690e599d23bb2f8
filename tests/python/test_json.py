"""Numbers from JSON are the very doubles that Python reads, whatever way they came; and those sent are read as they were."""

from __future__ import annotations

import json
import random
import struct
import subprocess
import sys
from array import array
from typing import TYPE_CHECKING, Any

import numpy as np

from ktrdr_core import AsyncServiceAdapter, DataManager
from ktrdr_core.http import Client
from ktrdr_core.testing import FaultRequest, FaultServer, ok
from soak import count

if TYPE_CHECKING:
    from pathlib import Path


def any_double(source: random.Random) -> float:
    """Give a finite double, all bit patterns alike."""
    while True:
        (number,) = struct.unpack("<d", source.randbytes(8))
        if number - number == 0:
            return float(number)


def spellings(source: random.Random) -> list[str]:
    """Write numbers as services do: shortest, with 17 digits, with many, as prices, with large exponents."""
    number = any_double(source)
    price = source.uniform(0.01, 5000)
    return [
        repr(number),
        f"{number:.16e}",
        f"{number:.{source.randrange(1, 40)}E}",
        f"{price:.{source.randrange(2, 20)}f}",
        repr(price),
        f"{source.randrange(10**30)}.{source.randrange(10**30)}e{source.randrange(-340, 300)}",
        f"-0.{source.randrange(10**25):025d}",
        str(source.randrange(2**64, 2**80)),
    ]


def texts(total: int, seed: int) -> str:
    source = random.Random(seed)
    numbers: list[str] = []
    while len(numbers) < total:
        numbers += spellings(source)
    return f"[{','.join(numbers)}]"


def bits(numbers: list[Any]) -> bytes:
    return array("d", map(float, numbers)).tobytes()


def test_an_answer_holds_the_numbers_that_python_reads() -> None:
    step = 20_000
    rounds = max(1, count(20_000, 1_000_000) // step)
    bodies = [texts(step, seed) for seed in range(rounds)]

    def answer(request: FaultRequest) -> bytes:
        return ok(bodies[int(request.target[1:])])

    with FaultServer(answer) as server, Client(server.url) as client:
        for round_, body in enumerate(bodies):
            read = client.get(f"/{round_}").result(60).json()
            assert bits(read) == bits(json.loads(body))
            assert all(isinstance(number, float) for number in read)


def test_a_call_gives_and_takes_the_numbers_that_python_has() -> None:
    source = random.Random(5)
    sent = [any_double(source) for _ in range(count(5_000, 200_000))]
    answers = [texts(500, 7), texts(20_000, 8)]
    heard: list[Any] = []

    def answer(request: FaultRequest) -> bytes:
        heard.append(json.loads(request.body))
        return ok(answers[len(heard) - 1])

    with FaultServer(answer) as server, AsyncServiceAdapter("numbers", server.url) as service:
        for text in answers:
            read = service.call_post("/numbers", sent).result(60)
            assert bits(read) == bits(json.loads(text))
    assert [bits(numbers) for numbers in heard] == [bits(sent)] * 2


def test_loaded_prices_are_bit_equal_to_those_on_the_wire(tmp_path: Path) -> None:
    source = random.Random(11)
    names = ("open", "high", "low", "close", "volume")
    days = [f"2020-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)]

    def price() -> str:
        digits = source.randrange(2, 20)
        return source.choice(
            [repr(source.uniform(0.01, 500)), f"{source.uniform(1, 500):.{digits}f}"]
        )

    rows = [
        f'"{day}T00:00:00Z": {{{", ".join(f"{json.dumps(name)}: {price()}" for name in names)}}}'
        for day in days
    ]
    table = "{" + ", ".join(rows) + "}"
    answers: dict[str, dict[str, Any]] = {
        "/data/validate": {"success": True, "is_valid": True},
        "/data/head-timestamp": {"success": True, "timestamp": "2000-01-03T00:00:00Z"},
        "/data/historical": {"success": True, "data": table},
    }

    def ib(request: FaultRequest) -> bytes:
        return ok(json.dumps(answers[request.target.partition("?")[0]]))

    wanted = json.loads(table)
    with FaultServer(ib) as server, DataManager(tmp_path, server.url, env={}) as data:
        fresh = data.load_data("AAPL", "1d", "2020-01-01", "2020-12-28", mode="full").result(60)
        stored = data.load_data("AAPL", "1d", "2020-01-01", "2020-12-28").result(60)
        for bars in (fresh, stored):
            assert len(bars) == len(days)
            for name in names:
                column = np.asarray(getattr(bars, name))
                assert column.tobytes() == bits([row[name] for row in wanted.values()]), name


KEEP = """
import asyncio, json, pathlib, sys
from ktrdr_core import OperationsService, ServiceOrchestrator
class Numbers(ServiceOrchestrator):
    def _get_service_name(self): return "Numbers"
    def _get_env_var_prefix(self): return "NUMBERS"
    async def add(self, numbers):
        print("added")
        return len(numbers)
async def main():
    domain = Numbers()
    domain.register_operation("adding", domain.add)
    numbers = json.loads(pathlib.Path(sys.argv[2]).read_text())
    print(await domain.start_operation(
        "Adding", "adding", domain.add, numbers=numbers, operation_id="op_numbers"
    ))
OperationsService(sys.argv[1])
asyncio.run(main())
"""


def test_a_stored_request_is_the_same_when_it_comes_again(tmp_path: Path) -> None:
    source = random.Random(13)
    numbers = tmp_path / "numbers.json"
    numbers.write_text(json.dumps([any_double(source) for _ in range(2_000)]))
    command = [sys.executable, "-W", "error", "-c", KEEP, str(tmp_path / "ktrdr.db"), str(numbers)]
    said = [
        subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        for _ in range(2)
    ]
    assert [(one.stdout, one.stderr) for one in said] == [("added\n2000\n", ""), ("2000\n", "")]
