"""Whatever goes wrong at a gateway, a load ends with every bar, or with its error and a ledger that asks again."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ib_bars import walk
from ib_quick import left_alone, quick
from ktrdr_core import DataManager, errors
from ktrdr_core.data import GatewayOptions, IbGatewaySource
from ktrdr_core.data.ib_gateway.codes import Counted, Kind, Line
from ktrdr_core.testing import Fault, IbGatewaySimulator
from ktrdr_core.testing.ib_gateway import texts
from soak import count

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("ib_async")

_BARS = walk("2024-03-11", "2024-03-16")


@pytest.fixture
def gateway() -> Iterator[IbGatewaySimulator]:
    with left_alone(_BARS) as one:
        yield one


def load(source: IbGatewaySource, folder: Path) -> Any:
    with DataManager(folder, source=source, env={}) as data:
        return data.load_data("AAPL", "1h", "2024-03-11", "2024-03-15", mode="full").result(20)


def whole() -> Any:
    with IbGatewaySimulator({("AAPL", "1 min"): _BARS}) as gateway, quick(gateway) as source:
        with tempfile.TemporaryDirectory() as folder:
            return load(source, Path(folder))


@pytest.fixture(scope="module")
def expected() -> Any:
    return whole()


_STAY = [
    (Fault("silence", times=None), errors.ServiceTimeoutError, "answers others and not this"),
    (
        Fault("error", code=162, text="Etwas ganz anderes 7", times=None),
        errors.HostServiceError,
        "Etwas ganz anderes",
    ),
    (Fault("error", code=321, times=None), errors.ConfigurationError, "the gateway says 321"),
    (Fault("error", code=10314, times=None), errors.ConfigurationError, "the gateway says 10314"),
    (
        Fault("error", code=354, text="Requested market data is not subscribed.", times=None),
        errors.ConfigurationError,
        "Client Portal",
    ),
    (Fault("error", code=162, times=None), errors.ServiceConnectionError, "no answer in 10 tries"),
    (Fault("rst", at="middle", times=None), errors.ServiceConnectionError, "no answer in 4 tries"),
    (Fault("garbage", times=None), errors.ServiceConnectionError, "no answer in 4 tries"),
]


@pytest.mark.parametrize(("fault", "error", "words"), _STAY, ids=lambda each: str(each)[:40])
def test_a_fault_that_stays_is_its_error_and_the_next_load_asks_again(
    gateway: IbGatewaySimulator,
    expected: Any,
    fault: Fault,
    error: type[Exception],
    words: str,
    tmp_path: Path,
) -> None:
    with quick(gateway) as source:
        gateway.fault(fault)
        with pytest.raises(error, match=words):
            load(source, tmp_path)
        gateway.recover()
        assert load(source, tmp_path) == expected


@pytest.mark.parametrize("language", ["en", "es", "de", "zh"])
def test_no_data_and_pacing_are_told_apart_in_each_language(
    language: str, expected: Any, tmp_path: Path
) -> None:
    with IbGatewaySimulator({("AAPL", "1 min"): _BARS}, language=language) as gateway:
        with quick(gateway) as source, DataManager(tmp_path, source=source, env={}) as data:
            gateway.fault(Fault("error", code=162, text=texts.history(language, "pacing")))
            found = data.load_data("AAPL", "1h", "2024-03-09", "2024-03-15", mode="full").result(20)
            assert source.pacing_violations == 1
            assert found == expected
            # Before the first bar there are none: that is no failure, and no reason to ask for ever.
            with pytest.raises(errors.NoDataError, match="choose other dates"):
                data.load_data("AAPL", "1m", "2024-02-05", "2024-02-06", mode="full").result(20)


def test_a_farm_that_is_lost_holds_nobody_up_while_another_of_its_kind_is_there() -> None:
    line = Line()
    line.told(2106, "HMDS data farm connection is OK:ushmds")
    line.told(2105, "HMDS data farm connection is broken:euhmds")
    assert list(line.lost) == []
    line.told(2105, "Conexi\u00f3n con la granja de datos HMDS interrumpida:ushmds")
    assert list(line.lost) == ["its history farms"]
    line.told(1100, "lost")
    assert list(line.lost) == ["IB", "its history farms"]
    line.told(
        2107, "HMDS data farm connection is inactive but should be available upon demand.ushmds"
    )
    assert list(line.lost) == ["IB"]
    line.told(2157, "Sec-def data farm connection is broken:secdefil")
    line.told(1102, "restored")
    assert list(line.lost) == []


def test_a_text_that_nobody_can_read_is_learned_by_what_came_of_asking_again() -> None:
    counted = Counted()
    assert counted.kind_of(162, "Kyselyitä on liikaa AAPL 5") is Kind.unknown
    counted.passed("Kyselyitä on liikaa AAPL 5")
    assert counted.kind_of(162, "Kyselyitä on liikaa MSFT 77") is Kind.pacing
    counted.stayed("Ei oikeuksia NYSE 3")
    assert counted.kind_of(162, "Ei oikeuksia ARCA 4") is Kind.bad_request


@pytest.mark.slow
@pytest.mark.skipif(not count(0, 1), reason="takes the limits' real length: make soak")
@pytest.mark.parametrize("at", ["start", "first bar", "middle", "end"])
@pytest.mark.parametrize("kind", ["mute", "silence"])
def test_a_dead_gateway_costs_no_more_than_20_s_at_the_limits_as_they_are(
    gateway: IbGatewaySimulator, expected: Any, kind: str, at: str, tmp_path: Path
) -> None:
    named: dict[str, Any] = {"options": GatewayOptions(), "answer_limit": 18.0, "pacing_pause": 2.0}
    with quick(gateway, **named) as source:
        gateway.fault(Fault(kind, at=at))
        assert load(source, tmp_path) == expected


@pytest.mark.parametrize("kind", ["garbage", "overlong", "fin"])
def test_what_cannot_be_read_ends_a_connection_at_once(
    gateway: IbGatewaySimulator, expected: Any, kind: str, tmp_path: Path
) -> None:
    # Nobody waits for silence here.
    options = GatewayOptions(probe_after=600.0, dead_after=900.0, first_pause=0.01)
    with quick(gateway, options=options, answer_limit=600.0) as source:
        gateway.fault(Fault(kind))
        assert load(source, tmp_path) == expected
        assert source.health.connections == 2


def test_an_error_event_ends_a_request_at_once(gateway: IbGatewaySimulator, tmp_path: Path) -> None:
    # Nothing here would end before its limits, which are longer than the test may take.
    patient = {"options": GatewayOptions(), "answer_limit": 600.0}
    with quick(gateway, **patient) as source:
        gateway.fault(Fault("error", code=321))
        with pytest.raises(errors.ConfigurationError, match="321"):
            load(source, tmp_path)
