"""Which series is meant, through the IB host service: our service and our adapter, and a service that knows only the table."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from ktrdr_core import BarSource, DataManager
from ktrdr_core.data import Contract
from ktrdr_core.errors import HostServiceError
from ktrdr_core.hosts.ib.app import create_app
from threaded_server import Handler, answering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

_PRICES = ("open", "high", "low", "close", "volume")
_DAYS: dict[str, Any] = {
    "symbol": "EURUSD",
    "timeframe": "1d",
    "start_date": "2024-07-01",
    "end_date": "2024-07-03",
    "mode": "full",
    "validate": False,
}


class _Pair(BarSource):
    """A pair of currencies; what its prices are says which series was asked for."""

    provider = "pair"

    def __init__(self) -> None:
        self.told: list[tuple[str | None, str]] = []

    def validate_symbol(self, symbol: str, timeframe: str) -> Contract:
        return Contract("forex", "IDEALPRO", "USD")

    def fetch(
        self,
        symbol: str,
        timeframe: str,
        start: datetime,
        end: datetime,
        instrument_type: str | None = None,
        what_to_show: str = "",
        session: str = "",
    ) -> Any:
        self.told.append((instrument_type, what_to_show))
        price = {"MIDPOINT": 1.5, "TRADES": 9.0, "BID": 1.0}[what_to_show]
        edges = [np.datetime64(edge.replace(tzinfo=None), "D") for edge in (start, end)]
        days = np.arange(max(edges[0], np.datetime64("2024-06-01")), edges[1])
        return {"timestamp": days, **dict.fromkeys(_PRICES, np.full(len(days), price))}


@dataclass
class _Service:
    """A service over a source, at a socket; one that knows only the table drops every other field."""

    only_table: bool
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture(params=[False, True], ids=["ours", "table"])
def service(request: pytest.FixtureRequest) -> Iterator[_Service]:
    client = TestClient(create_app(_Pair()), base_url="http://localhost")
    service = _Service(request.param)
    lock = threading.Lock()

    class Over(Handler):
        def do_GET(self) -> None:
            with lock:
                self.reply(client.get(self.path).json())

        def do_POST(self) -> None:
            body = self.asked()
            service.bodies.append({"path": self.path, **body})
            if service.only_table:
                for name in ("what_to_show", "session"):
                    body.pop(name, None)
            with lock:
                self.reply(client.post(self.path, json=body).json())

    with answering(Over) as service.url:
        yield service


def test_usual_bars_are_asked_for_with_the_fields_of_the_table(
    service: _Service, tmp_path: Path
) -> None:
    with DataManager(tmp_path, ib_url=service.url, env={}) as data:
        bars = data.load_data(**_DAYS).result()
        (series,) = data.series()
    assert set(bars.close) == {1.5}, "of forex the usual ones are midpoints"
    assert (series.what_to_show, series.instrument_type) == ("MIDPOINT", "forex")
    asked = {field for body in service.bodies for field in body}
    assert not asked & {"what_to_show", "session"}
    assert {body["instrument_type"] for body in service.bodies if "start" in body} == {"forex"}


def test_other_bars_are_taken_only_from_a_service_that_says_that_it_brought_them(
    service: _Service, tmp_path: Path
) -> None:
    with DataManager(tmp_path, ib_url=service.url, env={}) as data:
        load = data.load_data(**_DAYS, what_to_show="BID")
        if service.only_table:
            with pytest.raises(HostServiceError, match="does not say that its bars are BID of reg"):
                load.result()
            assert data.series() == []
            return
        assert set(load.result().close) == {1.0}
        assert [one.what_to_show for one in data.series()] == ["BID"]


def test_our_service_says_again_what_was_asked_for_and_refuses_what_a_source_does_not_have() -> (
    None
):
    client = TestClient(create_app(_Pair()), base_url="http://localhost")
    asked: dict[str, Any] = {
        "symbol": "EURUSD",
        "timeframe": "1d",
        "start": "2024-07-01",
        "end": "2024-07-03",
    }

    def answer(**words: Any) -> dict[str, Any]:
        given: dict[str, Any] = client.post("/data/historical", json={**asked, **words}).json()
        return given

    bids = answer(what_to_show="BID", session="regular")
    assert (bids["what_to_show"], bids["session"], bids["rows"]) == ("BID", "regular", 2)
    assert set(answer()) == {"success", "data", "rows", "error"}
    assert answer(instrument_type="forex")["success"]
    assert answer(instrument_type="CASH")["success"], "words of other clients mean nothing, as ever"
    wrong = answer(what_to_show="bids")
    assert not wrong["success"]
    assert "use one of TRADES" in wrong["error"]
