"""A loop's mailbox outlives whatever it delivers: callbacks and log handlers that raise anything at all."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from ktrdr_core import CancellationToken, DataManager, Operation, ProgressState, _bridge
from ktrdr_core.http import Client
from ktrdr_core.testing import Domain, FaultServer, ok, until_running
from test_bridge import LOOPS, CountingSelector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Odd(BaseException):
    """As little an Exception as can be."""


class Nameless:
    """A callback of which nothing can be said."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.calls = 0

    def __call__(self, _: object) -> None:
        self.calls += 1
        raise self.error

    def __repr__(self) -> str:
        raise ValueError("no name")


ODD: list[type[BaseException]] = [
    ValueError,
    asyncio.CancelledError,
    GeneratorExit,
    StopIteration,
    StopAsyncIteration,
    Odd,
]
odd = pytest.mark.parametrize("kind_of_error", ODD)
#: These are for whoever runs the loop, or waits.
PASSING: list[type[BaseException]] = [KeyboardInterrupt, SystemExit]


@pytest.fixture(params=LOOPS)
def new_loop(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    return LOOPS[request.param]


@pytest.fixture
def domain() -> Domain:
    return Domain()


async def three_steps(domain: Domain) -> str:
    for step in range(1, 4):
        domain.update_operation_progress(step, f"Step {step}")
        await asyncio.sleep(0.12)
    return "value"


@contextmanager
def closing(loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.AbstractEventLoop]:
    try:
        yield loop
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


# ---- callbacks


@odd
def test_a_callback_that_raises_anything_is_off_and_told_and_the_loop_goes_on(
    kind_of_error: type[BaseException],
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    domain: Domain,
) -> None:
    told: list[dict[str, Any]] = []
    error = kind_of_error("odd")
    progress, done, cancelled = Nameless(error), Nameless(error), Nameless(error)
    heard: list[str] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        operation = domain.start_operation(
            "W", "w", three_steps, domain, progress_callback=progress, total_steps=3
        )
        operation.add_done_callback(done)
        operation.add_done_callback(lambda ended: heard.append(ended.status))
        assert await asyncio.wait_for(operation, 20) == "value"
        token = CancellationToken()
        token.on_cancel(cancelled)
        token.cancel()
        assert (await asyncio.wait_for(token.wait(), 20)).code == "user"
        # What comes later finds the mailbox as it was.
        assert (
            await asyncio.wait_for(domain.start_operation("W", "w", asyncio.sleep, 0, 7), 20) == 7
        )
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    assert (progress.calls, done.calls, cancelled.calls) == (1, 1, 1)
    assert heard == ["completed"]
    words = [context["message"] for context in told]
    assert [word for word in words if "progress callback" in word and "off" in word]
    assert [word for word in words if "done callback" in word]
    assert [context for context in told if context["exception"] is not error] == []
    # Its traceback holds all that this test has made, in circles.
    error.__traceback__ = None


@pytest.mark.parametrize("kind", PASSING)
def test_an_interrupt_in_a_callback_reaches_who_runs_the_loop_and_the_loop_can_run_on(
    kind: type[BaseException],
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    domain: Domain,
) -> None:
    raised: list[int] = []

    def once(state: ProgressState) -> None:
        if state.current_step == 2 and not raised:
            raised.append(1)
            raise kind

    async def begin() -> Operation[str]:
        return domain.start_operation(
            "W", "w", three_steps, domain, progress_callback=once, total_steps=3
        )

    async def main(operation: Operation[str]) -> str:
        return await asyncio.wait_for(operation, 20)

    with closing(new_loop()) as loop:
        operation = loop.run_until_complete(begin())
        waiting = loop.create_task(main(operation))
        with pytest.raises(kind):
            loop.run_until_complete(waiting)
        # As terminal IPython does with the next cell.
        assert loop.run_until_complete(waiting) == "value"
        assert loop.run_until_complete(main(operation)) == "value"


def test_what_came_behind_the_culprit_is_delivered_without_spinning() -> None:
    selector = CountingSelector()
    heard: list[int] = []

    def listener(number: int) -> Callable[[str, Any], None]:
        def hear(_: str, __: Any) -> None:
            heard.append(number)
            if len(heard) == len(tokens):
                all_heard.set()
            if number % 3 == 0:
                raise ODD[number // 3 % len(ODD)]("odd")
            if number in (50, 70):
                raise PASSING[number // 70]

        return hear

    tokens = [CancellationToken() for _ in range(100)]

    async def listen() -> list[Any]:
        post = _bridge.loop_post()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: None)
        return [
            token._notify(post.mailbox, post.add(listener(number)))
            for number, token in enumerate(tokens)
        ]

    all_heard = asyncio.Event()

    async def until_heard() -> None:
        await all_heard.wait()

    async def rest() -> int:
        before = selector.wakes
        await asyncio.sleep(0.2)
        return selector.wakes - before

    with closing(asyncio.SelectorEventLoop(selector)) as loop:
        held = loop.run_until_complete(listen())
        for token in tokens:
            token.cancel()
        for kind in PASSING:
            with pytest.raises(kind):
                loop.run_until_complete(until_heard())
        loop.run_until_complete(until_heard())
        assert loop.run_until_complete(rest()) < 20
        assert sorted(heard) == list(range(100))
        del held


@odd
def test_result_outlives_its_callbacks_too(
    kind_of_error: type[BaseException], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    progress, done = Nameless(kind_of_error()), Nameless(kind_of_error())
    heard: list[str] = []
    with DataManager(tmp_path, env={}) as data:
        operation = data.load_data("AAPL", "1d", progress_callback=progress)
        operation.add_done_callback(done)
        operation.add_done_callback(lambda ended: heard.append(ended.status))
        operation.result(20)
        assert data.load_data("AAPL", "1d").result(20) is not None
    assert (progress.calls, done.calls, heard) == (1, 1, ["completed"])
    assert "progress callback <test_mailbox.Nameless> raised and is switched off" in caplog.text


def test_an_interrupt_inside_result_leaves_the_rest_of_the_mail_for_the_next_wait() -> None:
    heard: list[int] = []

    def listener(number: int) -> Callable[[str, Any], None]:
        def hear(_: str, __: Any) -> None:
            heard.append(number)
            if number == 1:
                raise KeyboardInterrupt

        return hear

    post = _bridge.thread_post()
    tokens = [CancellationToken() for _ in range(4)]
    keys = [post.add(listener(number)) for number in range(4)]
    held = [token._notify(post.mailbox, key) for token, key in zip(tokens, keys, strict=True)]
    for token in tokens:
        token.cancel()
    with pytest.raises(KeyboardInterrupt):
        post.wait_until(lambda: len(heard) == 4, 20)
    assert post.wait_until(lambda: len(heard) == 4, 20)
    for key in keys:
        post.remove(key)
    del held


# ---- logging


class Failing(logging.Handler):
    """Raises in whatever way it is told to."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        raise self.error


class Keeping(logging.Handler):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class FailingFilter(Failing):
    """The same before its handler is reached."""

    def filter(self, record: logging.LogRecord) -> bool:
        self.emit(record)
        return True


@pytest.fixture
def at_debug() -> Iterator[logging.Logger]:
    """Have the core log everything."""
    logger = logging.getLogger("ktrdr_core")
    before = logger.level
    logger.setLevel(logging.DEBUG)
    _bridge.start()
    yield logger
    logger.setLevel(before)
    _bridge.start()


def fail_some(url: str) -> None:
    """Have the core log a line: operations that are cancelled say so at DEBUG."""
    domain = Domain()

    async def main() -> None:
        for number in range(3):
            operation = domain.start_operation("W", "w", asyncio.Event().wait)
            await until_running(operation)
            operation.cancel(f"enough {number}")
            with pytest.raises(Exception, match="enough"):
                await asyncio.wait_for(operation, 20)
        async with Client(url) as client:
            assert (await asyncio.wait_for(client.get("/"), 20)).status_code == 200

    asyncio.run(main())
    with Client(url) as client:
        assert client.get("/").result(20).status_code == 200


@pytest.mark.parametrize("kind", [Failing, FailingFilter])
@odd
def test_a_log_handler_that_raises_anything_costs_its_records_and_nothing_else(
    kind_of_error: type[BaseException],
    kind: type[Failing],
    at_debug: logging.Logger,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_bridge.runtime, "_failed", set())
    handler = kind(kind_of_error("odd"))
    at_debug.addHandler(handler)
    try:
        with FaultServer(ok("x")) as server:
            fail_some(server.url)
    finally:
        at_debug.removeHandler(handler)
    messages = [record.getMessage() for record in handler.records]
    for number in range(3):
        assert [text for text in messages if f"enough {number}" in text], messages


@pytest.mark.parametrize("above", [False, True])
@pytest.mark.parametrize("kind", [Failing, FailingFilter])
@odd
def test_a_log_handler_that_raises_costs_the_others_none_of_their_records(
    kind_of_error: type[BaseException],
    kind: type[Failing],
    above: bool,
    at_debug: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_bridge.runtime, "_failed", set())
    monkeypatch.setattr(_bridge, "report", lambda _message, _error: None)
    before, failing, behind = Keeping(), kind(kind_of_error("odd")), Keeping()
    at_root = Keeping()
    handlers = [before, failing, kind(kind_of_error("odd")), behind]
    logger = at_debug.getChild("operations") if above else at_debug
    for handler in handlers:
        logger.addHandler(handler)
    logging.getLogger().addHandler(at_root)
    try:
        with FaultServer(ok("x")) as server:
            fail_some(server.url)
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
        logging.getLogger().removeHandler(at_root)

    def told(records: list[logging.LogRecord]) -> list[str]:
        return [r.getMessage() for r in records if "enough" in r.getMessage()]

    assert len(told(before.records)) >= 3
    assert told(failing.records) == told(behind.records) == told(before.records)
    assert told(at_root.records) == told(before.records), "each of them once"


@pytest.mark.parametrize("name", ["operation_id", _bridge.runtime.OPERATION_ID])
def test_a_record_factory_may_give_records_whatever_names_it_likes(
    name: str, at_debug: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    before = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        record.__dict__[name] = "mine"
        return record

    logging.setLogRecordFactory(factory)
    try:
        with FaultServer(ok("x")) as server:
            fail_some(server.url)
    finally:
        logging.setLogRecordFactory(before)
    told = [record for record in caplog.records if "enough 0" in record.getMessage()]
    assert told
    assert all(record.__dict__["ktrdr_operation_id"].startswith("op_w_") for record in told)
    if name == "operation_id":
        assert {record.__dict__[name] for record in told} == {"mine"}


def test_a_record_factory_that_raises_is_told_once(
    at_debug: logging.Logger,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_bridge.runtime, "_failed", set())
    before = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        raise Odd("no record")

    logging.setLogRecordFactory(factory)
    try:
        with FaultServer(ok("x")) as server:
            fail_some(server.url)
    finally:
        logging.setLogRecordFactory(before)
    assert capsys.readouterr().err.count("a log record was lost") == 1


@pytest.mark.parametrize("kind", PASSING)
def test_an_interrupt_in_a_log_handler_passes_and_the_other_records_come(
    kind: type[BaseException], at_debug: logging.Logger
) -> None:
    class Once(Failing):
        def emit(self, record: logging.LogRecord) -> None:
            if not self.records:
                super().emit(record)
            self.records.append(record)

    handler = Once(kind())
    domain = Domain()

    async def main() -> int:
        operation = domain.start_operation("W", "w", asyncio.Event().wait)
        await until_running(operation)
        operation.cancel("enough")
        with pytest.raises(Exception, match="enough"):
            await asyncio.wait_for(operation, 20)
        return 7

    at_debug.addHandler(handler)
    try:
        with closing(uvloop.new_event_loop()) as loop:
            task = loop.create_task(main())
            with pytest.raises(kind):
                loop.run_until_complete(task)
            assert loop.run_until_complete(task) == 7
            assert loop.run_until_complete(main()) == 7
    finally:
        at_debug.removeHandler(handler)
