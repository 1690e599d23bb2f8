"""How a source that is written in Python is asked: its questions come as mail to a thread of its own.

The thread hands each question on, to an event loop where the method is async, else to a thread for that one call, and
watches that none is lost with a loop. It takes no part in what is decided: limits, patience, cancelling and what is
looked at in an answer are the core's (``AskedSource``).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import ref

from .. import _bridge, _core, errors
from .._bridge.texts import name_of, readable, said, shown
from ..cancellation import CancellationToken
from .answers import answer, known_code
from .source_calls import moment
from .sources import SourceLimits
from .telling import heard_by

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from collections.abc import Awaitable, Callable

    from .sources import BarSource

_log = logging.getLogger("ktrdr_core.sources")

# The key under which questions come; those of cancels follow.
_QUESTIONS = 0
# How often loops are looked at while something runs on one, and how long a thread without work sleeps. Seconds.
_LOOK, _REST = 0.2, 3600.0
# How long a loop that is not closed may stand still before a question for it is given up. Seconds.
_STANDSTILL = 5.0
# Frames of more rows are taken into the core on a thread: a loop has better to do. Rows.
_MANY = 5_000


def open_source(source: BarSource) -> _core.AskedSource:
    """Give the core's side of a source, and start its thread, which ends when the core lets go of that side.

    Raises
    ------
    InvalidArgumentError
        For a provider, a limit or a patience that cannot be.
    """
    _bridge.start()
    mailbox = _core.Mailbox()
    limits: dict[str, tuple[float, int]] = {}
    refused: dict[str, tuple[str, str, dict[str, Any]]] = {}
    for timeframe in _core.timeframes():
        try:
            given = source.describe(timeframe)
        except errors.KtrdrError as error:
            refused[timeframe] = (known_code(error), error.message, error.context)
        except Exception as error:  # noqa: BLE001 - a source may raise anything
            asked = f"{readable(type(source).__qualname__)}.describe({timeframe})"
            facts = {"asked": asked, "raised": name_of(type(error))}
            refused[timeframe] = (known_code(error), f"{asked} raised {said(error)}", facts)
        else:
            limits[timeframe] = _limits(source, timeframe, given)
    within = source.answer_within
    native = _core.AskedSource(
        mailbox,
        _QUESTIONS,
        _text(source, "provider"),
        readable(type(source).__qualname__),
        limits,
        refused,
        _seconds(source, float("inf") if within is None else within),
        _told(source),
    )
    asking = _Asking(source, mailbox)
    threading.Thread(
        target=asking.run, name=f"ktrdr_core source {source.provider}", daemon=True
    ).start()
    return native


def _text(source: BarSource, field: str) -> str:
    value = getattr(source, field)
    if not isinstance(value, str):
        raise errors.InvalidArgumentError(
            f"{field} of {type(source).__qualname__} must be str, not {shown(value)}",
            context={"field": field},
        )
    return value


def _seconds(source: BarSource, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise errors.InvalidArgumentError(
            f"answer_within of {type(source).__qualname__} must be a number of seconds or None, not {shown(value)}",
            context={"field": "answer_within"},
        )
    return float(value)


def _limits(source: BarSource, timeframe: str, given: object) -> tuple[float, int]:
    if isinstance(given, SourceLimits):
        try:
            return given.max_span.total_seconds(), int(given.max_in_flight)
        except (AttributeError, TypeError, ValueError):
            pass
    raise errors.InvalidArgumentError(
        f"{type(source).__qualname__}.describe({timeframe!r}) must give SourceLimits of a timedelta and an int, "
        f"not {shown(given)}",
        context={"field": "describe"},
    )


class _Asking:
    """The thread of one source. What is under way stands in ``_running``, confined to it."""

    def __init__(self, source: BarSource, mailbox: _core.Mailbox) -> None:
        self._source = source
        self._mailbox = mailbox
        self._running: dict[int, _Running] = {}
        self._keys = count(_QUESTIONS + 1)
        self._own: _OwnLoop | None = None

    def run(self) -> None:
        """Hand on questions until there are no more to come."""
        try:
            while self._turn():
                pass
        finally:
            for running in self._running.values():
                running.lost("the thread that asks the source has ended")
                # The source may be gone before the cancel of its last question is heard.
                running.cancel()
            if self._own is not None:
                self._own.stop()

    def _turn(self) -> bool:
        self._mailbox.wait(_LOOK if self._running else _REST)
        # What is lost comes before what is asked next: a load is told the first cause.
        self._look()
        for key, kind, value in self._mailbox.take(1024):
            if key != _QUESTIONS:
                self._cancelled(key)
            elif kind == "finished":
                return False
            else:
                self._begin(value[1])
            # A frame's names outlive its turns: what they name must not.
            del value
        self._look()
        return True

    def _begin(self, ask: _core.SourceAsk) -> None:
        key = next(self._keys)
        running = self._running[key] = _Running(ask)
        try:
            running.registration = ask.token._notify(self._mailbox, key)
            method = getattr(self._source, ask.kind)
            call = _call_of(method, ask)
            if inspect.iscoroutinefunction(method):
                running.start_on(self._loop(), call)
            else:
                running.start_in_thread(call, self._loop)
        except BaseException as error:  # noqa: BLE001 - a source may raise anything
            running.raised(error)

    def _cancelled(self, key: int) -> None:
        running = self._running.pop(key, None)
        if running is not None:
            running.cancel()

    def _look(self) -> None:
        """Forget what has ended, and what runs on a loop that does not."""
        for key, running in list(self._running.items()):
            running.look()
            if running.over:
                running.end()
                del self._running[key]

    def _loop(self) -> AbstractEventLoop:
        """Choose where an async method runs.

        Raises
        ------
        ServiceConnectionError
            When the source was made on a loop that is closed.
        """
        made, seen = self._source._made_on, self._source._seen_on
        if made is not None:
            loop = made()
            if loop is None or loop.is_closed():
                raise errors.ServiceConnectionError(
                    "the event loop on which the source was made is closed: make it on the one that is used"
                )
            return loop
        loop = None if seen is None else seen()
        if loop is not None and loop.is_running():
            return loop
        if self._own is None or self._own.loop.is_closed():
            self._own = _OwnLoop(self._source.provider)
        return self._own.loop


class _Running:
    """One question that is being answered."""

    def __init__(self, ask: _core.SourceAsk) -> None:
        self._ask: _core.SourceAsk | None = ask
        self.registration: _core.CancelRegistration | None = None
        self.over = False
        self._loop: ref[AbstractEventLoop] | None = None
        self._task: Task[None] | None = None
        self._stands_since: float | None = None
        self._stopped = False

    # ---- where it runs

    def start_on(self, loop: AbstractEventLoop, call: Callable[[], Awaitable[Any]]) -> None:
        """Run an async method in a task of the loop."""
        self._loop = ref(loop)

        def start() -> None:
            if not self.over and not self._stopped:
                self._task = loop.create_task(self._carry_out(call), name="ktrdr_core source")
                self._task.add_done_callback(_heard)

        loop.call_soon_threadsafe(start)

    def start_in_thread(
        self, call: Callable[[], Any], loop: Callable[[], AbstractEventLoop]
    ) -> None:
        """Run a plain method in a thread, which nothing waits for at the interpreter's end."""

        def work() -> None:
            try:
                with heard_by(self):
                    value = call()
                if inspect.isawaitable(value):
                    self.start_on(_loop_for(value, loop), lambda: value)
                    return
            except BaseException as error:  # noqa: BLE001 - what a source raises is unknown
                self.raised(error)
                return
            self.answered(value)

        threading.Thread(target=work, name="ktrdr_core source call", daemon=True).start()

    async def _carry_out(self, call: Callable[[], Awaitable[Any]]) -> None:
        try:
            with heard_by(self):
                value = await call()
        except (KeyboardInterrupt, SystemExit) as error:
            self.raised(error)
            # In the main thread a signal may have raised it, and whoever runs the loop is to hear of that. Elsewhere it
            # would end a loop that others are asked on, and tell nobody.
            if threading.current_thread() is threading.main_thread():
                raise
            return
        except asyncio.CancelledError as error:
            self.raised(error)
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            self.raised(error)
            return
        finally:
            # The task holds this.
            self._task = None
        try:
            many = len(getattr(value, "bars", value)) > _MANY
        except TypeError:
            many = False
        if many:
            # Where no thread can be had the loop itself is held up.
            with suppress(RuntimeError):
                threading.Thread(target=self.answered, args=(value,), daemon=True).start()
                return
        self.answered(value)

    # ---- how it ends

    def warned(self, text: str) -> None:
        """Tell the load; nothing once it has its answer."""
        ask = self._ask
        if ask is not None:
            ask.warn(text)

    def answered(self, value: Any) -> None:
        """Answer with what the method gave."""
        ask = self._take()
        if ask is not None:
            answer(ask, value)

    def raised(self, error: BaseException) -> None:
        """Answer with what it raised."""
        ask = self._take()
        if ask is None:
            return
        if isinstance(error, errors.NoDataError) and ask.kind == "fetch":
            ask.answer_bars(None, "", [], None)
            return
        _log.debug("%s raised", ask.asked, exc_info=error)
        if isinstance(error, errors.KtrdrError):
            ask.fail(known_code(error), f"{ask.asked}: {error.message}", error.context)
        elif isinstance(error, asyncio.CancelledError):
            _lost(ask, "its task was cancelled, as those of an event loop are that ends")
        else:
            facts = {"asked": ask.asked, "raised": name_of(type(error))}
            ask.fail(known_code(error), f"{ask.asked} raised {said(error)}", facts)

    def lost(self, why: str) -> None:
        """Answer for a method that does not go on."""
        ask = self._take()
        if ask is not None:
            _lost(ask, why)

    def _take(self) -> _core.SourceAsk | None:
        ask, self._ask = self._ask, None
        self.over = True
        return ask

    def cancel(self) -> None:
        """Stop it: nobody waits for the answer any more."""
        self._stopped = True
        self.end()
        loop = None if self._loop is None else self._loop()
        if loop is not None and not loop.is_closed():
            with suppress(RuntimeError):  # closed in between
                loop.call_soon_threadsafe(self._cancel_task)

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def end(self) -> None:
        """Let go of what it holds."""
        if self.registration is not None:
            self.registration.close()
            self.registration = None

    def look(self) -> None:
        """Give it up where its loop is closed, or stands still."""
        if self._loop is None or self.over:
            return
        loop = self._loop()
        if loop is None or loop.is_closed():
            self.lost("the event loop that it ran on was closed")
        elif loop.is_running():
            self._stands_since = None
        elif self._stands_since is None:
            self._stands_since = time.monotonic()
        elif time.monotonic() - self._stands_since > _STANDSTILL:
            self.lost(
                "the event loop on which the source was made does not run: await the load on it"
            )


class _OwnLoop:
    """An event loop on a thread, for async methods of a source that nobody has given one."""

    def __init__(self, provider: str) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(
            target=self._run, name=f"ktrdr_core loop of {provider}", daemon=True
        ).start()
        ready = threading.Event()
        self.loop.call_soon_threadsafe(ready.set)
        ready.wait()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()

    def stop(self) -> None:
        """End it; the thread closes the loop, unless a source has ended it before."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.loop.stop)


def _heard(task: Task[None]) -> None:
    """Take what it raised, of which the load has been told, so that asyncio does not call it unheard."""
    if not task.cancelled():
        task.exception()


def _lost(ask: _core.SourceAsk, why: str) -> None:
    """Say that nobody answers, which no smaller request and no next one would change."""
    ask.fail("service_connection", f"{ask.asked}: {why}", {"asked": ask.asked})


def _loop_for(value: Awaitable[Any], loop: Callable[[], AbstractEventLoop]) -> AbstractEventLoop:
    """Choose a loop; without one the awaitable is let go of, as one that nobody awaits."""
    try:
        return loop()
    except BaseException:
        if inspect.iscoroutine(value):
            value.close()
        raise


def _call_of(method: Callable[..., Any], ask: _core.SourceAsk) -> Callable[[], Any]:
    arguments: list[Any] = [ask.symbol, ask.timeframe]
    if ask.start is not None and ask.end is not None:
        arguments += [moment(ask.start), moment(ask.end)]
    facts = zip(("instrument_type", "what_to_show", "session"), ask.series, strict=True)
    named: dict[str, Any] = {name: fact or None for name, fact in facts if _takes(method, name)}
    if _takes(method, "cancellation_token"):
        named["cancellation_token"] = CancellationToken(ask.token)
    return lambda: method(*arguments, **named)


def _told(source: BarSource) -> list[str]:
    """Say which words about a series its ``fetch`` takes."""
    try:
        fetch = source.fetch
    except Exception:  # noqa: BLE001 - a source may raise anything; its first question says so
        return []
    return [name for name in ("what_to_show", "session") if _takes(fetch, name)]


def _takes(method: Callable[..., Any], name: str) -> bool:
    try:
        return name in inspect.signature(method).parameters
    except (TypeError, ValueError):  # what is made in C may have none
        return False
