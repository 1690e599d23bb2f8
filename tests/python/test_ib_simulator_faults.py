"""What goes wrong at the simulated gateway goes wrong as it says, byte for byte, and its rules are counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from ib_bars import walk
from ib_raw import Raw, frame, with_raw
from ktrdr_core.testing import Fault, IbGatewaySimulator, PacingRules
from ktrdr_core.testing.ib_gateway import texts
from ktrdr_core.testing.ib_gateway.faults import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

_MINUTES = walk("2024-03-14T13:30", "2024-03-14T20:00")
_SECONDS = walk("2024-03-14T13:30", "2024-03-14T13:40", 1)


class Clock:
    """A clock that stands where it is put."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock(1_710_450_000.0)


@pytest.fixture
def gateway(clock: Clock) -> Iterator[IbGatewaySimulator]:
    series: dict[Any, Any] = {("AAPL", "1 min"): _MINUTES, ("FAST", "1 secs"): _SECONDS}
    with IbGatewaySimulator(series, clock=clock) as one:
        yield one


def _stamps(answer: list[str]) -> list[int]:
    assert answer[0] == "17"
    return [int(stamp) for stamp in answer[5::8]]


@pytest.mark.parametrize("at", ["start", "first bar", "middle", "end"])
@pytest.mark.parametrize("kind", ["fin", "rst"])
def test_a_cut_answer_ends_where_it_should(gateway: IbGatewaySimulator, kind: str, at: str) -> None:
    async def ask(raw: Raw) -> int:
        raw.bars(1)
        whole = await raw.next()
        gateway.fault(Fault(kind, at=at))
        raw.bars(2)
        came = bytearray()
        ended = ""
        while not ended:
            try:
                piece = await raw.reader.read(65536)
                came += piece
                ended = "" if piece else "fin"
            except ConnectionResetError:
                ended = "rst"
        assert ended == kind
        full = sum(len(field) + 1 for field in whole)
        first = sum(len(field) + 1 for field in whole[:13])
        expected = {"start": 0, "first bar": 4 + first, "middle": 4 + full // 2, "end": 3 + full}
        # What was sent before a reset may be lost.
        assert len(came) == expected[at] or (kind == "rst" and len(came) < expected[at])
        return len(came)

    with_raw(gateway, ask)
    gateway.wait_until(lambda one: one.connections == 0)


@pytest.mark.parametrize("at", ["start", "first bar", "middle", "end"])
def test_a_stalled_or_slow_answer_comes_whole_in_the_end(
    gateway: IbGatewaySimulator, at: str
) -> None:
    async def ask(raw: Raw) -> None:
        raw.bars(1)
        whole = await raw.next()
        for number, kind in enumerate(("stall", "delay", "drip"), start=2):
            gateway.fault(Fault(kind, at=at, seconds=0.05))
            raw.bars(number)
            answer = await raw.next()
            assert answer[:2] == ["17", str(number)]
            assert answer[2:] == whole[2:]

    with_raw(gateway, ask)


def test_a_mute_connection_takes_what_comes_and_says_nothing(gateway: IbGatewaySimulator) -> None:
    async def ask(raw: Raw) -> None:
        gateway.fault(Fault("mute", at="start"))
        raw.bars(1)
        assert await raw.silent()
        raw.send(49, 1)
        assert await raw.silent()
        assert gateway.count("time") == 1
        assert gateway.connections == 1

    with_raw(gateway, ask)


def test_an_answer_that_never_comes_holds_no_other_up(gateway: IbGatewaySimulator) -> None:
    async def ask(raw: Raw) -> None:
        gateway.fault(Fault("silence"))
        raw.bars(1)
        await asyncio.to_thread(gateway.wait_until, lambda one: one.count("history") == 1)
        raw.send(49, 1)
        raw.bars(2)
        assert sorted([(await raw.next())[0] for _ in range(2)]) == ["17", "49"]

    with_raw(gateway, ask)


@pytest.mark.parametrize(
    ("code", "text", "said"),
    [
        (162, "", "pacing violation"),
        (162, "Historische Daten: etwas anderes", "etwas anderes"),
        (321, "", "validating an API client request"),
        (10314, "", "time-zone entered is invalid"),
    ],
)
def test_an_error_stands_in_place_of_the_answer(
    gateway: IbGatewaySimulator, code: int, text: str, said: str
) -> None:
    async def ask(raw: Raw) -> None:
        gateway.fault(Fault("error", code=code, text=text, times=2))
        for number in (1, 2):
            raw.bars(number)
            answer = await raw.next()
            assert answer[:4] == ["4", "2", str(number), str(code)]
            assert said in answer[4]
        raw.bars(3)
        assert (await raw.next())[0] == "17"

    with_raw(gateway, ask)


@pytest.mark.parametrize("language", ["en", "es", "de", "zh"])
def test_a_refusal_is_said_in_the_gateway_s_language(language: str) -> None:
    with IbGatewaySimulator({("AAPL", "1 min"): _MINUTES}, language=language) as gateway:

        async def ask(raw: Raw) -> str:
            raw.bars(1, end="20200101-00:00:00")
            return (await raw.next())[4]

        words = {
            "en": "returned no data",
            "es": "no ha devuelto",
            "de": "ergab keine",
            "zh": "未返回数据",
        }
        assert words[language] in with_raw(gateway, ask)


def test_garbage_and_a_length_that_nobody_may_take_come_as_such(
    gateway: IbGatewaySimulator,
) -> None:
    async def ask(raw: Raw) -> None:
        gateway.fault(Fault("garbage"))
        raw.bars(1)
        with pytest.raises(ValueError, match="invalid literal"):
            int((await raw.next())[0])
        gateway.fault(Fault("overlong"))
        raw.bars(2)
        with pytest.raises(AssertionError, match="nobody may take"):
            await raw.next()

    with_raw(gateway, ask)


def test_bars_come_unordered_repeated_and_revised(gateway: IbGatewaySimulator) -> None:
    async def ask(raw: Raw) -> None:
        raw.bars(1)
        whole = await raw.next()
        stamps = _stamps(whole)
        assert stamps == sorted(stamps)
        for number, (kind, expected) in enumerate(
            {"unordered": 1, "repeated": 2, "revised": 2}.items(), start=2
        ):
            gateway.fault(Fault(kind))
            raw.bars(number)
            answer = await raw.next()
            assert Counter(_stamps(answer)) == dict.fromkeys(stamps, expected)
            assert (_stamps(answer) == sorted(_stamps(answer))) is (kind != "unordered")
            if kind == "revised":
                # The last is the one that holds.
                assert answer[14:21] == whole[6:13]
                assert float(answer[6]) == 2 * float(whole[6])

    with_raw(gateway, ask)


def test_stamps_come_as_text_in_an_odd_zone(gateway: IbGatewaySimulator) -> None:
    async def ask(raw: Raw) -> list[str]:
        gateway.fault(Fault("zone", text="Hora del Este"))
        raw.bars(1)
        return await raw.next()

    assert with_raw(gateway, ask)[5] == "20240314 09:30:00 Hora del Este"


def test_the_greeting_names_the_zone_as_the_machine_does(clock: Clock) -> None:
    with IbGatewaySimulator(
        clock=clock, zone="Europe/Berlin", zone_name="Mitteleuropäische Zeit"
    ) as gateway:

        async def main() -> list[str]:
            raw = Raw(*await asyncio.open_connection(gateway.host, gateway.port))
            raw.greet(b"v157..178 +PACEAPI")
            greeting = await raw.next()
            await raw.close()
            return greeting

        assert asyncio.run(main()) == ["178", "20240314 22:00:00 Mitteleuropäische Zeit"]


def test_notices_reach_everybody_and_the_line_holds_bars_up(gateway: IbGatewaySimulator) -> None:
    async def ask(raw: Raw) -> None:
        for lost, back in ((1100, 1102), (2105, 2106)):
            gateway.notice(lost)
            assert (await raw.next())[3] == str(lost)
            raw.bars(lost)
            raw.send(
                9,
                8,
                5,
                0,
                "AAPL",
                "STK",
                "",
                0.0,
                "",
                "",
                "SMART",
                "",
                "USD",
                "",
                "",
                0,
                "",
                "",
                "",
            )
            # Wrongly: it cannot ask.
            assert (await raw.next())[3] == "200"
            gateway.notice(back)
            assert sorted([(await raw.next())[0] for _ in range(2)]) == ["17", "4"]
        gateway.notice(1100)
        raw.bars(7)
        await raw.next()
        await asyncio.to_thread(gateway.wait_until, lambda one: one.under_way == 1)
        gateway.notice(1101)
        assert (await raw.next())[3] == "1101"
        assert gateway.under_way == 0
        assert await raw.silent()

    with_raw(gateway, ask)


def test_a_restart_closes_everything_and_the_port_is_the_same(gateway: IbGatewaySimulator) -> None:
    async def ask(raw: Raw) -> None:
        await asyncio.to_thread(gateway.stop_listening)
        with pytest.raises(asyncio.IncompleteReadError):
            await raw.next()
        with pytest.raises(ConnectionRefusedError):
            await Raw.connect(gateway)
        await asyncio.to_thread(gateway.listen_again)
        again = await Raw.connect(gateway)
        await again.close()

    with_raw(gateway, ask)


def test_a_client_id_stays_taken_for_a_while(clock: Clock) -> None:
    with IbGatewaySimulator(clock=clock, linger=30) as gateway:

        async def main() -> None:
            await (await Raw.connect(gateway)).close()
            await asyncio.to_thread(gateway.wait_until, lambda one: one.connections == 0)
            raw = Raw(*await asyncio.open_connection(gateway.host, gateway.port))
            raw.greet(b"v157..178")
            await raw.next()
            raw.send(71, 2, 1, "")
            assert (await raw.next())[3] == "326"
            with pytest.raises(asyncio.IncompleteReadError):
                await raw.next()
            await raw.close()
            clock.now += 31
            await (await Raw.connect(gateway)).close()

        asyncio.run(main())


async def _codes(raw: Raw, count: int) -> list[str]:
    """Give for each of so many answers the number of bars' message, or the error's code."""
    answers = [await raw.next() for _ in range(count)]
    return [answer[3] if answer[0] == "4" else answer[0] for answer in answers]


def _small(raw: Raw, number: int, end: int, **more: Any) -> None:
    raw.bars(
        number,
        symbol="FAST",
        size="1 secs",
        duration="30 S",
        end=f"20240314-13:{end // 60 + 31}:{end % 60:02}",
        **more,
    )


def test_the_same_request_for_small_bars_is_too_early_within_15_s(
    gateway: IbGatewaySimulator, clock: Clock
) -> None:
    async def ask(raw: Raw) -> list[str]:
        found = []
        for number, step in enumerate((0.0, 14.9, 14.9, 15.0)):
            clock.now += step
            _small(raw, number, 1)
            found += await _codes(raw, 1)
        return found

    assert with_raw(gateway, ask) == ["17", "162", "162", "17"]
    assert gateway.violations == {"same_again": 2}


def test_a_sixth_request_of_a_contract_within_2_s_is_too_many(
    gateway: IbGatewaySimulator, clock: Clock
) -> None:
    async def ask(raw: Raw) -> list[str]:
        found = []
        for number in range(6):
            _small(raw, number, number)
            found += await _codes(raw, 1)
        clock.now += 2.0
        _small(raw, 7, 7)
        return [*found, *await _codes(raw, 1)]

    assert with_raw(gateway, ask) == ["17"] * 5 + ["162", "17"]


@pytest.mark.parametrize(("show", "most"), [("TRADES", 60), ("BID_ASK", 30)])
def test_60_requests_fit_into_10_minutes_and_those_of_both_quotes_count_twice(
    gateway: IbGatewaySimulator, clock: Clock, show: str, most: int
) -> None:
    async def ask(raw: Raw) -> list[str]:
        found = []
        for number in range(most + 1):
            clock.now += 2.0
            _small(raw, number, number, show=show)
            found += await _codes(raw, 1)
        clock.now += 600.0
        _small(raw, 100, 100, show=show)
        return [*found, *await _codes(raw, 1)]

    assert with_raw(gateway, ask) == ["17"] * most + ["162", "17"]
    assert gateway.violations == {"window": 1}


def test_50_requests_may_be_open_and_50_messages_come_within_a_second(clock: Clock) -> None:
    rules = PacingRules(messages=60)
    bars = {("AAPL", "1 min"): _MINUTES}
    with IbGatewaySimulator(bars, clock=clock, answer_seconds=0.3, pacing=rules) as gateway:

        async def ask(raw: Raw) -> Counter[str]:
            for number in range(51):
                raw.bars(number)
            found = Counter(await _codes(raw, 51))
            for _ in range(20):
                raw.send(49, 1)
            return found + Counter(await _codes(raw, 20))

        # The session's start is one of the 60.
        assert with_raw(gateway, ask) == {"17": 50, "162": 1, "49": 8, "100": 12}
        assert gateway.violations == {"open": 1, "messages": 12}


def test_what_no_client_sends_is_told_and_ends_its_connection_alone(
    gateway: IbGatewaySimulator,
) -> None:
    async def main() -> None:
        for data in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"API\0\x7f\xff\xff\xff",
            b"API\0" + frame(b"v1..2"),
        ):
            reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
            writer.write(data)
            assert await reader.read() == b""
            writer.close()

    asyncio.run(main())
    assert len(gateway.broken_frames) == 3

    async def ask(raw: Raw) -> None:
        raw.send("nonsense")
        raw.send(4711)
        raw.send(20, 1, 2)
        assert await _codes(raw, 3) == ["320", "505", "320"]
        raw.bars(9)
        assert await _codes(raw, 1) == ["17"]

    with_raw(gateway, ask)


def test_a_notice_of_every_code_has_its_usual_text(gateway: IbGatewaySimulator) -> None:
    async def ask(raw: Raw) -> None:
        codes = sorted(texts.NOTICES)
        for code in codes:
            gateway.notice(code)
        assert await _codes(raw, len(codes)) == [str(code) for code in codes]
        # Beside an answer, too, which comes.
        gateway.fault(Fault("notice", code=100))
        raw.bars(9)
        assert sorted(await _codes(raw, 2)) == ["100", "17"]

    with_raw(gateway, ask)


def test_each_kind_of_fault_can_be_given_and_no_other() -> None:
    for kind in KINDS:
        assert Fault(kind, code=1100).kind == kind
    wrongs: list[dict[str, Any]] = [
        {"kind": "smoke"},
        {"kind": "fin", "on": "lunch"},
        {"kind": "fin", "at": "noon"},
    ]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="of a Fault must be one of"):
            Fault(**wrong)
    with pytest.raises(ValueError, match="needs a code"):
        Fault("error")
    for seconds in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="seconds of a Fault must be 0 or more"):
            Fault("delay", seconds=seconds)
    for times in (0, -1):
        with pytest.raises(ValueError, match="times of a Fault must be 1 or more, or None"):
            Fault("fin", times=times)


_ENDS = ["", "20240314-16:00:00", "00010101-00:00:00", "99991231-23:59:59", "20240230-00:00:00"]
_ENDS += ["20240310 02:30:00 US/Eastern", "20240314 16:00:00 ../../etc/passwd", "x", "\u0661"]
_ENDS += ["19000101-00:00:00", "99981231-23:59:59", "20240314 16:00:00", "20240314 16:00:00 /"]
_DURATIONS = [
    "1 D",
    "0 D",
    "365 D",
    "100 Y",
    "12 M",
    "52 W",
    "86400 S",
    "1 H",
    "-1 D",
    "9999999 D",
    "",
]
_KINDS = [
    ("1 secs", "TRADES"),
    ("1 hour", "BID"),
    ("1 day", "SCHEDULE"),
    ("1M", "TRADES"),
    ("x", ""),
]


@pytest.mark.parametrize(("size", "show"), _KINDS)
def test_every_request_that_can_be_read_is_answered(size: str, show: str) -> None:
    """By what it asks for or by an error about it, whatever stands in its fields."""

    async def ask(raw: Raw) -> None:
        for number, (end, duration) in enumerate(product(_ENDS, _DURATIONS), 1):
            raw.bars(number, size=size, show=show, end=end, duration=duration)
            while True:
                answer = await raw.next()
                if (answer[2] if answer[0] == "4" else answer[1]) == str(number):
                    break
                assert answer[:4] == ["4", "2", "-1", "2174"], (end, duration, answer)

    series = {("AAPL", "1 min"): _MINUTES}
    with IbGatewaySimulator(series, pacing=PacingRules(enforced=False)) as gateway:
        with_raw(gateway, ask)


def test_a_number_that_is_used_again_stands_for_the_new_request() -> None:
    one = IbGatewaySimulator({("AAPL", "1 min"): _MINUTES}, answer_seconds=600)

    async def ask(raw: Raw) -> list[list[str]]:
        # In one piece, so that they come together.
        raw.bars(5)
        raw.send(25, 1, 5)
        raw.bars(5)
        first = await raw.next()
        await asyncio.to_thread(one.wait_until, lambda seen: seen.count("history") == 2)
        assert await asyncio.to_thread(lambda: one.under_way) == 1
        raw.send(25, 1, 5)
        return [first, await raw.next()]

    with one:
        answers = with_raw(one, ask)
    assert [each[2:4] for each in answers] == [["5", "162"], ["5", "162"]]
