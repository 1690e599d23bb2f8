"""Every trouble of a gateway at every place of a load: it ends with every bar, or with its error and a ledger that asks again."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from ib_bars import walk
from ib_quick import left_alone, quick
from ktrdr_core import DataManager, errors
from ktrdr_core.testing import Fault, IbGatewaySimulator
from ktrdr_core.testing.ib_gateway import texts
from soak import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ktrdr_core.data import IbGatewaySource

    Trouble = Callable[[IbGatewaySimulator, str, str], None]

pytest.importorskip("ib_async")

# New York's clocks go forward on the tenth.
_BARS = walk("2024-03-07", "2024-03-13")
_RANGE = ("2024-03-07", "2024-03-12")

#: To which answer, and where in it. All there is of an answer in its place is there at its start.
_PLACES = [("connect", "start"), ("connect", "middle"), ("connect", "end")]
_PLACES += [("contract", "start"), ("contract", "middle"), ("contract", "end")]
_PLACES += [("head", "start"), ("head", "middle"), ("head", "end")]
_PLACES += [("history", at) for at in ("start", "first bar", "middle", "end")]


def fault(kind: str, **more: Any) -> Trouble:
    return lambda gateway, on, at: gateway.fault(Fault(kind, on=on, at=at, **more))


def id_taken(gateway: IbGatewaySimulator, on: str, at: str) -> None:
    """Somebody else has the id when it is connected to anew."""
    gateway.fault(Fault("rst", on=on, at=at))
    gateway.hold_client_id(1)


def restart(gateway: IbGatewaySimulator, on: str, at: str) -> None:
    _meanwhile(gateway, on, at, gateway.stop_listening, gateway.listen_again)


def line(lost: int, *back: int) -> Trouble:
    """Let the gateway lose its line while an answer is under way."""

    def trouble(gateway: IbGatewaySimulator, on: str, at: str) -> None:
        _meanwhile(
            gateway,
            on,
            at,
            lambda: gateway.notice(lost),
            *(partial(gateway.notice, code) for code in back),
        )

    return trouble


def _meanwhile(gateway: IbGatewaySimulator, on: str, at: str, *steps: Callable[[], None]) -> None:
    gateway.fault(Fault("stall", on=on, at=at, seconds=0.2))
    before = gateway.accepted, gateway.count(on)

    def work() -> None:
        def asked(one: IbGatewaySimulator) -> bool:
            return one.accepted > before[0] if on == "connect" else one.count(on) > before[1]

        # A load that does not ask this any more has no such place.
        with suppress(TimeoutError):
            gateway.wait_until(asked, 5)
        for step in steps:
            step()
            time.sleep(0.05)

    thread = threading.Thread(target=work, name="trouble", daemon=True)
    thread.start()
    _working.append(thread)


_working: list[threading.Thread] = []


def said(language: str, kind: str) -> Trouble:
    words = texts.history(
        language, kind, what="AAPL@SMART Trades", id=7, exchange="NYSE", type="STK"
    )
    return fault("error", code=162, text=words)


_ANY: dict[str, Trouble] = {
    "late": fault("delay", seconds=0.1),
    "stalls": fault("stall", seconds=0.1),
    "stalls until it is taken for dead": fault("stall", seconds=1.2),
    "half a frame, then nothing": fault("mute"),
    "closes": fault("fin"),
    "resets": fault("rst"),
    "one byte at a time": fault("drip"),
    "id taken": id_taken,
    "restarts": restart,
    "1100 and 1102": line(1100, 1102),
    "1100 and 1101": line(1100, 1101),
    "2105 and 2106": line(2105, 2106),
    "2105 and 2107": line(2105, 2107),
    "2157 and 2158": line(2157, 2158),
}
#: In place of an answer.
_INSTEAD: dict[str, Trouble] = {
    "garbage": fault("garbage"),
    "too long a frame": fault("overlong"),
    "never answers": fault("silence"),
}
#: In place of the answer to a request: the greeting is none.
_REFUSED: dict[str, Trouble] = {
    "321": fault("error", code=321),
    "10314": fault("error", code=10314),
    "200": fault("error", code=200),
    "322": fault("error", code=322),
    "354": fault("error", code=354, text="Requested market data is not subscribed."),
    "100": fault("error", code=100),
    "10197": fault("error", code=10197, text="No market data during competing live session"),
    "162 in words of nobody": fault("error", code=162, text="Etwas ganz anderes 7"),
} | {
    f"162 {kind} in {language}": said(language, kind)
    for language in ("en", "es", "de", "zh")
    for kind in ("pacing", "empty", "permission", "cancelled")
}
#: Of bars alone.
_OF_BARS: dict[str, Trouble] = {
    **{kind: fault(kind) for kind in ("unordered", "repeated", "revised")},
    "Hora del Este": fault("zone", text="Hora del Este"),
    "a zone of nobody": fault("zone", text="Tiempo de Atlantis"),
}


def _cases() -> list[Any]:
    cases = [(name, place) for name in _ANY for place in _PLACES]
    starts = [place for place in _PLACES if place[1] == "start"]
    cases += [(name, place) for name in _INSTEAD for place in starts]
    cases += [(name, place) for name in _REFUSED for place in starts if place[0] != "connect"]
    cases += [(name, ("history", "start")) for name in _OF_BARS]
    # A spread sample: every trouble and every place is met.
    every = count(13, 1)
    return [
        pytest.param(name, *place, id=f"{name}-{'-'.join(place)}")
        for number, (name, place) in enumerate(cases)
        if number % every == 0
    ]


_TROUBLES = _ANY | _INSTEAD | _REFUSED | _OF_BARS
# What a load may end with; nothing else.
_DOCUMENTED = (
    errors.ServiceConnectionError,
    errors.ServiceTimeoutError,
    errors.HostServiceError,
    errors.ConfigurationError,
    errors.SymbolNotFoundError,
    errors.NoDataError,
    errors.ProtocolError,
)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with IbGatewaySimulator({("AAPL", "1 min"): _BARS}) as gateway, quick(gateway) as source:
        return load(source, tmp_path_factory.mktemp("whole"))


@pytest.fixture
def gateway() -> Iterator[IbGatewaySimulator]:
    with left_alone(_BARS) as one:
        yield one


def load(source: IbGatewaySource, folder: Path) -> Any:
    with DataManager(folder, source=source, env={}) as data:
        return data.load_data("AAPL", "1h", *_RANGE, mode="full").result(20)


@pytest.mark.parametrize(("name", "on", "at"), _cases())
def test_a_trouble_costs_a_wait_or_is_its_error_and_no_bar_is_lost(
    gateway: IbGatewaySimulator, expected: Any, name: str, on: str, at: str, tmp_path: Path
) -> None:
    with quick(gateway) as source:
        # A gateway that was reached before is waited for.
        assert load(source, tmp_path / "before") == expected
        source._found.clear()
        _TROUBLES[name](gateway, on, at)
        gateway.drop()
        first, words = None, ""
        try:
            first = load(source, tmp_path / "bars")
        except _DOCUMENTED as error:
            words = str(error)
        finally:
            while _working:
                _working.pop().join(20)
        gateway.recover()
        assert words or first is not None
        if first is not None and name in _ANY:
            assert first == expected
        assert load(source, tmp_path / "bars") == expected
        assert len(gateway.client_ids) == 1
