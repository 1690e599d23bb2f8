"""Every code that a gateway answers or notes becomes what the design says: an error of its class, a warning, or nothing."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from ib_bars import walk
from ib_quick import QUICK, left_alone, quick
from ktrdr_core import DataManager, errors
from ktrdr_core.data.ib_gateway.back_off import BackOff
from ktrdr_core.data.ib_gateway.codes import Kind, kind_of, port_of
from ktrdr_core.data.ib_gateway.connection import Connection
from ktrdr_core.testing import Fault, IbGatewaySimulator, PacingRules
from ktrdr_core.testing.ib_gateway import texts
from test_ib_gateway_connection import asked_for_bars
from test_ib_gateway_slow import served

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("ib_async")

_BARS = walk("2024-03-11", "2024-03-16")


class Outcome(NamedTuple):
    """What becomes of a load."""

    error: type[Exception] | None = None
    """Where it stays: what the load ends with."""
    warning: str = ""
    """Where it goes: what the load is warned of."""


_NOTHING = Outcome()
_ASKED_AGAIN = Outcome(errors.ServiceConnectionError, "the gateway says")
_REFUSED = Outcome(errors.ConfigurationError)
_SUBSCRIBE = Outcome(errors.ConfigurationError)
_LOST = Outcome(errors.ServiceConnectionError)
#: Section 5 of the design's page, in place of an answer: code, text, and what comes of it. A text in braces is one of 162.
_ANSWERS: list[tuple[int, str, Outcome]] = [
    (100, "", _ASKED_AGAIN),
    (162, "{pacing}", _ASKED_AGAIN),
    (162, "{empty}", Outcome(errors.NoDataError)),
    (162, "{cancelled}", Outcome(errors.HostServiceError)),
    (162, "{permission}", _SUBSCRIBE),
    (
        162,
        "Historical Market Data Service error message:invalid step",
        Outcome(errors.HostServiceError),
    ),
    (162, "{too long}", Outcome(errors.HostServiceError)),
    (162, "Kyselyitä on liikaa 7", Outcome(errors.HostServiceError)),
    (200, "", Outcome(errors.SymbolNotFoundError)),
    (320, "", _REFUSED),
    (321, "", _REFUSED),
    (322, "", _REFUSED),
    (354, "", _SUBSCRIBE),
    (420, "", _ASKED_AGAIN),
    (502, "", _LOST),
    (504, "", _LOST),
    (507, "", _LOST),
    (10089, "", _SUBSCRIBE),
    (10090, "", _SUBSCRIBE),
    (10168, "", _SUBSCRIBE),
    (10182, "", _ASKED_AGAIN),
    (10186, "", _SUBSCRIBE),
    (10197, "", _ASKED_AGAIN),
    (10225, "", _ASKED_AGAIN),
    (10314, "", _REFUSED),
]
#: And about no request, or beside an answer, which comes all the same.
_NOTICES = [165, 10167, 366, *range(2100, 2200)]
#: Those that have tests of their own: what they say of the connection, or of the line.
_ELSEWHERE = {326, 1100, 1101, 1102, 1300}


@pytest.fixture
def gateway() -> Iterator[IbGatewaySimulator]:
    with left_alone(_BARS) as one:
        yield one


def said(text: str) -> str:
    if not text.startswith("{"):
        return text
    facts = {"what": "AAPL@SMART Trades", "id": 7, "exchange": "NYSE", "type": "STK"}
    return texts.history("en", text.strip("{}"), **facts)


def load(source: Any, folder: Path) -> Any:
    with DataManager(folder, source=source, env={}) as data:
        loading = data.load_data("AAPL", "1h", "2024-03-11", "2024-03-15", mode="full")
        return loading, loading.result(20)


@pytest.mark.parametrize(("code", "text", "outcome"), _ANSWERS)
def test_an_error_that_stays_is_that_of_its_class_and_the_next_load_asks_again(
    gateway: IbGatewaySimulator, code: int, text: str, outcome: Outcome, tmp_path: Path
) -> None:
    assert outcome.error is not None
    with quick(gateway) as source:
        gateway.fault(Fault("error", code=code, text=said(text), times=None))
        with pytest.raises(outcome.error) as ended:
            load(source, tmp_path)
        if outcome is _SUBSCRIBE:
            assert "Client Portal" in str(ended.value)
        gateway.recover()
        if outcome.error is errors.NoDataError:
            return
        assert len(load(source, tmp_path)[1]) == 35


def test_a_load_through_our_service_ends_as_one_without(
    gateway: IbGatewaySimulator, tmp_path: Path
) -> None:
    of_each = {each[2]: each for each in _ANSWERS if each[2] not in (_ASKED_AGAIN, _LOST)}
    with served(gateway) as url:
        for number, (code, text, outcome) in enumerate(of_each.values()):
            gateway.fault(Fault("error", on="history", code=code, text=said(text), times=None))
            with DataManager(tmp_path / str(number), url, env={}) as data:
                loading = data.load_data("AAPL", "1h", "2024-03-11", "2024-03-15", mode="full")
                assert outcome.error is not None
                with pytest.raises(errors.KtrdrError) as ended:
                    loading.result(20)
                assert type(ended.value) is outcome.error, (code, text, ended.value)
            gateway.recover()


@pytest.mark.parametrize(
    ("code", "text", "outcome"), [each for each in _ANSWERS if each[2] in (_ASKED_AGAIN, _LOST)]
)
def test_an_error_that_goes_is_a_warning_and_no_bar_is_lost(
    gateway: IbGatewaySimulator, code: int, text: str, outcome: Outcome, tmp_path: Path
) -> None:
    with quick(gateway) as source:
        gateway.fault(Fault("error", code=code, text=said(text)))
        loading, bars = load(source, tmp_path)
        assert len(bars) == 35
        assert any(outcome.warning in each for each in loading.warnings)
        assert source.health.connections == (2 if outcome is _LOST else 1)
        assert (code in dict(source.health.notices)) == (outcome is _LOST)
        kind = kind_of(code, said(text))
        assert source.health.pacing_violations == int(kind is Kind.pacing)


def test_a_notice_is_counted_and_ends_nothing(gateway: IbGatewaySimulator, tmp_path: Path) -> None:
    # Those that say of a farm that it is broken take the line down, and are ridden out elsewhere.
    told = [code for code in _NOTICES if code not in (2103, 2105, 2110, 2157)]
    with quick(gateway) as source:
        for code in told:
            gateway.fault(Fault("notice", on="history", code=code))
        loading, bars = load(source, tmp_path)
        assert len(bars) == 35
        assert not any("gateway" in each for each in loading.warnings)
        noted = Counter(dict(source.health.notices))
        # Those of its start beside them.
        assert all(noted[code] >= 1 for code in told), noted
        assert source.health.connections == 1
        # About a request that is under way the same: it is not taken for its answer.
        for code in (165, 10167):
            gateway.fault(Fault("error", code=code))
            loading, bars = load(source, tmp_path / str(code))
            assert len(bars) == 35
            assert any("was not answered in time" in each for each in loading.warnings)


def test_each_code_of_the_design_is_tried_here_or_elsewhere() -> None:
    tried = {code for code, _, _ in _ANSWERS} | set(_NOTICES) | _ELSEWHERE
    pages = [folder / "shared" / "design" / "ib-gateway.md" for folder in Path(__file__).parents]
    page = next((each for each in pages if each.exists()), None)
    if page is None:
        pytest.skip("the design's page does not lie beside this checkout")
    section = page.read_text().partition("## 5")[2].partition("## 6")[0]
    codes: set[int] = set()
    for row in re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE):
        codes |= {int(code) for code in re.findall(r"\b\d{3,5}\b", row)}
    assert len(codes) >= 25
    assert codes - tried == set()


def test_the_guide_has_each_code_with_what_becomes_of_it() -> None:
    page = (Path(__file__).parents[2] / "docs" / "guide" / "ib-gateway.md").read_text()
    parts = [
        page.partition(f"## {name}")[2].partition("\n## ")[0]
        for name in ("Errors", "One connection")
    ]
    table = "".join(parts)
    for code, _, _ in _ANSWERS:
        assert re.search(rf"\b{code}\b", table), code


# ---- the connection that moves, and how it is come back to


def test_a_gateway_that_moves_is_followed_to_the_port_that_it_names(
    gateway: IbGatewaySimulator, tmp_path: Path
) -> None:
    with IbGatewaySimulator({("AAPL", "1 min"): _BARS}) as new, quick(gateway) as source:
        text = texts.NOTICES[1300].replace("4002", str(new.port))
        gateway.fault(Fault("notice", on="history", code=1300, text=text))
        # The answer to what it was asked comes on the other port.
        gateway.fault(Fault("silence", on="history"))
        assert len(load(source, tmp_path)[1]) == 35
        assert new.client_ids == [1]
        assert source.health.connections == 2


def test_a_gateway_that_is_not_where_it_said_is_looked_for_where_it_was(
    gateway: IbGatewaySimulator, tmp_path: Path
) -> None:
    with quick(gateway) as source:
        text = texts.NOTICES[1300].replace("4002", "1")
        gateway.fault(Fault("notice", on="history", code=1300, text=text))
        gateway.fault(Fault("silence", on="history"))
        assert len(load(source, tmp_path)[1]) == 35
        assert source.health.connections == 2


@pytest.mark.parametrize(
    ("text", "port"),
    [
        (texts.NOTICES[1300], 4002),
        ("reconnect on the new port 7497.", 7497),
        ("reconnect on the new port -70000", None),
        ("reconnect", None),
        ("port 0", None),
    ],
)
def test_a_port_that_cannot_be_is_not_followed(text: str, port: int | None) -> None:
    assert port_of(text) == port


def test_pauses_double_up_to_the_longest_and_begin_anew_once_the_gateway_was_there() -> None:
    least = BackOff(0.5, 15.0, lambda low, _: low)
    most = BackOff(0.5, 15.0, lambda _, high: high)
    doubled = [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]
    assert [most.pause() for _ in doubled] == doubled
    assert [least.pause() for _ in doubled] == [each / 2 for each in doubled]
    most.reset()
    assert [most.pause() for _ in range(2)] == [0.5, 1.0]
    # By chance, between those: two that lost the same gateway do not come back together.
    drawn = [[BackOff(1.0, 1.0).pause() for _ in range(50)] for _ in range(2)]
    assert drawn[0] != drawn[1]
    assert all(0.5 <= each <= 1.0 for one in drawn for each in one)
    assert len({round(each, 2) for each in drawn[0]}) > 10


class Told(BackOff):
    """Takes note of what becomes of it, and lets nobody wait."""

    def __init__(self) -> None:
        super().__init__(0.001, 0.002)
        self.seen: list[str] = []

    def pause(self) -> float:
        self.seen.append("pause")
        return super().pause()

    def reset(self) -> None:
        self.seen.append("reset")
        super().reset()


@contextmanager
def owned(gateway: IbGatewaySimulator) -> Iterator[tuple[Connection, Told]]:
    from dataclasses import replace

    told = Told()
    yield Connection(replace(QUICK, port=gateway.port), told), told


def test_a_gateway_that_greets_and_goes_is_no_reason_to_come_back_at_once() -> None:
    async def main(gateway: IbGatewaySimulator) -> list[str]:
        with owned(gateway) as (connection, told):
            await connection.ready()
            # It closes each connection as soon as it is asked for the time.
            await asyncio.to_thread(gateway.wait_until, lambda one: one.accepted >= 6)
            seen = [*told.seen]
            gateway.recover()
            client = await connection.ready()
            (found,) = await client.details({"symbol": "AAPL", "secType": "STK"})
            assert found
            gateway.drop()
            await asyncio.to_thread(gateway.wait_until, lambda one: one.client_ids == [1])
            await connection.ready()
            rest = told.seen[len(seen) :]
            await connection.close()
            return [*seen, "|", *rest]

    with IbGatewaySimulator({("AAPL", "1 min"): _BARS}) as gateway:
        gateway.fault(Fault("fin", on="time", times=None))
        seen = asyncio.run(main(gateway))
    before, after = seen[: seen.index("|")], seen[seen.index("|") + 1 :]
    # A pause before each of them, and none is shorter for it.
    assert before.count("pause") >= 5
    assert "reset" not in before
    # One that has answered a question was there.
    assert after[after.index("reset") :][:2] == ["reset", "pause"]


# ---- messages that are one too many


def test_a_cancel_that_the_gateway_does_not_take_is_sent_again() -> None:
    async def main(gateway: IbGatewaySimulator, clock: Clock) -> None:
        async with asked_for_bars(gateway, 1) as asking:
            await asyncio.to_thread(gateway.wait_until, lambda one: one.under_way == 1)
            asking[0].cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            await asyncio.to_thread(gateway.wait_until, lambda one: one.violations["messages"] > 0)
            assert gateway.under_way == 1
            clock.now += 60
            await asyncio.to_thread(gateway.wait_until, lambda one: one.under_way == 0)

    # The start, the question for the contract and that for bars; the cancel is one more.
    rules, clock = PacingRules(messages=3), Clock()
    series = {("AAPL", "1 min"): _BARS}
    with IbGatewaySimulator(series, answer_seconds=600, pacing=rules, clock=clock) as gateway:
        asyncio.run(main(gateway, clock))
        assert gateway.count("cancel history") == 1


class Clock:
    """A clock that stands where it is put."""

    now = 1_710_540_000.0

    def __call__(self) -> float:
        return self.now
