"""The handle of a long piece of work that runs in the core."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .. import _bridge, _core
from .._bridge.arguments import explained
from .._bridge.awaited import Awaited
from .._bridge.callbacks import guarded, refuse_coroutine
from .._core import ProgressState
from ..errors import ConflictError, InvalidArgumentError, KtrdrError
from ..progress import Rendering, patient
from .context import OperationScope
from .outcome import Outcome, Raised, ended_by_itself, outcomes

if TYPE_CHECKING:
    import asyncio

    from ..cancellation import CancellationToken
    from ..display.reporters import Reporter
    from ..progress import ProgressRenderer

T = TypeVar("T")
ProgressCallback = Callable[[ProgressState], object]

#: How long a cancelled await waits for the native work to stop. Seconds.
CANCEL_GRACE = 1.0
# result() looks at signals and callbacks this often. Seconds.
_SLICE = 0.05


class Operation(Awaited[T]):
    """A load or training that runs: await it, or call ``result()``.

    Cancelling the *task* that awaits it cancels the operation and raises ``asyncio.CancelledError``; cancelling the
    *operation* makes the await raise ``OperationCancelledError`` (``OperationTimeoutError`` for its own timeout).

    Handles of one id may be held in many places: by those who started it under the same id, by those who found it with
    ``OperationsService.handle``, on loops and in threads. Each of them counts until its wait is given up or it is let go
    of; one who gives up leaves the operation to the others, and only the last to leave cancels it.

    Thread safety: every member from any thread; an await stays on its own loop.
    """

    def __init__(
        self,
        native: _core.Operation,
        convert: Callable[[Any], T],
        *,
        progress_callback: ProgressCallback | None = None,
        renderer: ProgressRenderer | None = None,
    ) -> None:
        self._native = native
        self._convert = convert
        self._rendering = None if renderer is None else Rendering(renderer)
        self._waiter = native.waiter()
        # Of work written in Python: its value and what it raised.
        self._python: Outcome | None = None
        self._lock = Lock()
        self._awaiters = 0
        self._value: list[T] = []
        self._waiting_progress: list[ProgressCallback] = []
        self._waiting_done: list[Callable[[Operation[T]], object]] = []
        if progress_callback is not None:
            self._follow(progress_callback)

    @classmethod
    def of(
        cls, native: _core.Operation, renderer: ProgressRenderer | None = None
    ) -> Operation[Any]:
        """Wrap an operation that is known by its id; bars come as ``Bars``, all else as it is."""

        def convert(value: Any) -> Any:
            from ..bars import Bars

            return Bars(value) if isinstance(value, _core.Bars) else value

        operation = Operation(native, convert, renderer=renderer)
        operation._python = outcomes.get(native.id)
        return operation

    @property
    def id(self) -> str:
        """The operation's id, ``op_<type>_<uuid7>`` or the caller's own."""
        return self._native.id

    @property
    def token(self) -> CancellationToken:
        """The token that its work watches; cancelled when the operation is asked to stop."""
        from ..cancellation import CancellationToken

        return CancellationToken(self._native.token)

    @property
    def status(self) -> str:
        """pending, running, cancelling, completed, failed, cancelled or timed_out."""
        return self._native.status

    @property
    def progress(self) -> ProgressState:
        """The progress as it stands now."""
        return self._view(self._native.progress())

    def _view(self, state: ProgressState) -> ProgressState:
        return state if self._rendering is None else self._rendering.of(state)

    @property
    def warnings(self) -> list[str]:
        """What went less than well, in words."""
        return self._native.warnings

    def done(self) -> bool:
        """Say whether it has ended, in whatever way."""
        return self._native.done

    @explained
    def cancel(self, reason: str = "") -> bool:
        """Ask the work to stop; False when it has ended or was asked before."""
        return self._native.cancel(reason, "user")

    def context(self) -> OperationScope:
        """Carry the operation to where no context goes by itself; see ``OperationContext.context``."""
        return OperationScope(self._native)

    def __repr__(self) -> str:
        from ..notebook import figures

        state = self.progress
        return f"<Operation {self.id} {self.status} {figures(self, state)} {state.message!r}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        from ..notebook import mimebundle

        return mimebundle(self)

    # ---- with asyncio

    def __await__(self) -> Generator[Any, None, T]:
        return self._wait().__await__()

    def _before_the_first_step(self) -> Generator[Any, Any, T]:
        # The work runs whoever awaits it: who gives up waits no more, and may be the last who did.
        if not self.done():
            step = self.__await__()
            try:
                step.send(None)
            except BaseException:  # noqa: BLE001 - it has ended meanwhile, in whatever way
                return self.__await__()
            return step
        return self.__await__()

    async def _wait(self) -> T:
        if not self.done():
            await self._finished()
        return self._outcome()

    async def _finished(self) -> None:
        import asyncio

        post = _bridge.loop_post()
        if post.is_task_of(self.id):
            raise ConflictError(
                f"operation {self.id} would wait for its own end, and so for ever: its work must not await it "
                "(the same operation_id means the same operation)",
                context={"operation_id": self.id},
            )
        ended = asyncio.Event()
        key = post.add(lambda kind, _: ended.set() if kind == "finished" else None)
        self._join()
        listener = self._native.listen(post.mailbox, key, False)
        beat = _Beat(post.loop) if _in_ipython() else None
        try:
            await ended.wait()
        except asyncio.CancelledError as cancelled:
            if self._is_last_to_leave():
                self.cancel("the task that awaited it was cancelled")
                await self._stopped(ended)
                cancelled.__context__ = self._failure()
            raise
        finally:
            with self._lock:
                self._awaiters -= 1
            if beat is not None:
                beat.stop()
            post.remove(key)
            self._native.unlisten(listener)

    def _join(self) -> None:
        with self._lock:
            self._awaiters += 1
            self._waiter.join()

    def _is_last_to_leave(self) -> bool:
        """Say, for one who gives up waiting, whether nobody else waits on any handle of the operation, or holds one."""
        with self._lock:
            return self._awaiters == 1 and self._waiter.leave()

    async def _stopped(self, ended: asyncio.Event) -> None:
        """Wait for the native stop, shielded, but not longer than the grace."""
        import asyncio

        shield: AbstractContextManager[object] = nullcontext()
        if "anyio" in sys.modules:
            # Without it the task groups of anyio cancel this task again and again while it waits.
            from anyio import CancelScope

            shield = CancelScope(shield=True)
        with shield:
            waiter = asyncio.ensure_future(ended.wait())
            try:
                await asyncio.wait([waiter], timeout=CANCEL_GRACE)
            finally:
                waiter.cancel()

    async def events(self) -> AsyncIterator[ProgressState]:
        """Iterate over progress: the newest state first, every step's edge, the last state at the end.

        States that come faster than they are taken are merged within a step, so a slow reader costs no memory.
        """
        import asyncio

        post = _bridge.loop_post()
        pending: deque[ProgressState] = deque()
        news = asyncio.Event()
        ended = False

        def hear(kind: str, value: Any) -> None:
            nonlocal ended
            if kind == "finished":
                ended = True
            elif len(pending) > 1 and pending[-1].current_step == value.current_step:
                pending[-1] = value
            else:
                pending.append(value)
            news.set()

        key = post.add(hear)
        listener = self._native.listen(post.mailbox, key, True)
        try:
            while True:
                while pending:
                    yield self._view(pending.popleft())
                if ended:
                    return
                await news.wait()
                news.clear()
        finally:
            post.remove(key)
            self._native.unlisten(listener)

    # ---- without asyncio

    @explained
    def result(self, timeout: float | None = None, *, progress: bool = False) -> T:
        """Wait for the end and return the value.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait; the operation goes on after them.
        progress : bool
            Show the operation meanwhile, as ``ktrdr_core.show`` does: a bar that moves on a terminal, lines in a log, a
            widget in a notebook.

        Raises
        ------
        TimeoutError
            When it still runs after ``timeout``.
        RuntimeError
            On a thread whose event loop is running, which this call would stop: await the operation there.
        KtrdrError
            Why the operation has no value.
        KeyboardInterrupt
            After Ctrl-C, once the work has stopped; a second Ctrl-C does not wait for it. Work that others wait for
            goes on.
        """
        if timeout is not None and not timeout >= 0:
            raise InvalidArgumentError(f"timeout must be at least 0 seconds, not {timeout!r}")
        if _bridge.running_loop() is not None:
            # A notebook's loop may stand still while the core works, not while it is the loop that works.
            if not _in_ipython():
                raise RuntimeError(
                    "result() would stop the event loop that runs on this thread: use `await operation` instead"
                )
            if _bridge.loop_post().works_for(self.id) and not self.done():
                raise RuntimeError(
                    "result() would stop the event loop that the operation's own work runs on, and wait for ever: use "
                    "`await operation` instead"
                )
        with ExitStack() as stack:
            drawing: _Drawing | None = None
            try:
                if progress:
                    with self._waited_for():
                        drawing = stack.enter_context(self._drawn())
                self._block(timeout, drawing)
            except KeyboardInterrupt:
                # Not its status, which changes a moment later, on another thread.
                if self._native.token.is_cancelled():
                    if drawing is not None:
                        drawing.say("cancelling…")
                    self._block(CANCEL_GRACE, drawing)
                raise
        if not self.done():
            raise TimeoutError(
                f"{self.id} is still running after {timeout} s; it goes on (cancel() stops it)"
            )
        return self._outcome()

    @contextmanager
    def _waited_for(self) -> Iterator[None]:
        """Count as one who waits; an interrupt of the last of them cancels the work."""
        self._join()
        try:
            yield
        except KeyboardInterrupt:
            if self._is_last_to_leave():
                self.cancel("interrupted")
            raise
        finally:
            with self._lock:
                self._awaiters -= 1

    @contextmanager
    def _drawn(self) -> Iterator[_Drawing | None]:
        """Draw the operation while the body waits for it."""
        from ..display.shared import SharedReporter
        from ..display.terminal import label_of
        from ..notebook import has_kernel, show

        if has_kernel():
            # Below the cell; what it waits for is told inside `_block`.
            show(self)
            yield None
            return
        with SharedReporter(sys.stderr) as report:
            drawing = _Drawing(self, report, label_of(self._native))
            try:
                yield drawing
            finally:
                if self.done():
                    drawing.end()

    def _block(self, timeout: float | None, drawing: _Drawing | None = None) -> None:
        post = _bridge.thread_post()
        ended: list[bool] = []
        callbacks = self._take_waiting()
        hearers = [*callbacks, drawing.show] if drawing is not None else callbacks

        def hear(kind: str, value: Any) -> None:
            if kind == "finished":
                ended.append(True)
            for hearer in hearers if kind == "progress" else ():
                hearer(value)

        def over() -> list[bool]:
            if drawing is not None:
                drawing.tick()
            return ended

        key = post.add(hear)
        listener = self._native.listen(post.mailbox, key, bool(hearers))
        try:
            with self._waited_for():
                post.wait_until(over, timeout)
        finally:
            post.remove(key)
            self._native.unlisten(listener)
        if ended:
            done, self._waiting_done = self._waiting_done, []
            for callback in done:
                callback(self)
        else:
            self._waiting_progress.extend(callbacks)

    def _take_waiting(self) -> list[ProgressCallback]:
        callbacks, self._waiting_progress = self._waiting_progress, []
        return callbacks

    # ---- callbacks

    def add_done_callback(self, callback: Callable[[Operation[T]], object]) -> None:
        """Have ``callback(operation)`` called at the end, on the running loop, else inside ``result()``."""
        refuse_coroutine(callback)
        tell = guarded(callback, what="done callback")
        if _bridge.running_loop() is None:
            self._waiting_done.append(tell)
        else:
            self._on_loop(lambda kind, _: tell(self) if kind == "finished" else None, False)

    def _follow(self, callback: ProgressCallback) -> None:
        refuse_coroutine(callback)
        # Not through the handle: somebody who only hears of the operation does not count as one who holds it.
        tell = guarded(patient(callback), None if self._rendering is None else self._rendering.of)
        if _bridge.running_loop() is None:
            self._waiting_progress.append(tell)
        else:
            self._on_loop(lambda kind, value: tell(value) if kind == "progress" else None, True)

    def on_change(self, tell: Callable[[], object]) -> None:
        """Have ``tell()`` called at each progress and at the end: for a display that then looks at the operation.

        It is called on the running loop, and inside ``result()`` too: a notebook's cell may block its own loop.
        """
        self._follow(lambda _: tell())
        if _bridge.running_loop() is not None:
            self._waiting_progress.append(guarded(lambda _: tell()))
        self.add_done_callback(lambda _: tell())

    def _on_loop(self, hear: Callable[[str, Any], object], progress: bool) -> None:
        import contextvars

        post = _bridge.loop_post()
        context = contextvars.copy_context()

        def handler(kind: str, value: Any) -> None:
            try:
                context.run(hear, kind, value)
            finally:
                if kind == "finished":
                    post.remove(key)

        key = post.add(handler)
        self._native.listen(post.mailbox, key, progress)

    # ---- the end

    def _outcome(self) -> T:
        if not self._value:
            raised = None
            try:
                native = self._native.result()
            except KtrdrError:
                raised = self._raised()
                if raised is None:
                    raise
            if raised is not None:
                raised.again()
            value = self._convert(native) if self._python is None else self._python.value
            _bridge.forward_logs()
            self._value.append(value)
        return self._value[0]

    def _raised(self) -> Raised | None:
        """What the work raised, where that is why there is no value, and not a cancel that came before."""
        if self._python is None or not ended_by_itself(self._native):
            return None
        return self._python.raised

    def _failure(self) -> KtrdrError | None:
        if not self.done():
            return None
        try:
            self._native.result()
        except KtrdrError as error:
            # Asked while another error is handled, which would become its context, and this one the other's.
            error.__context__ = None
            return error
        return None


class _Drawing:
    """An operation as one who waits for it draws it."""

    def __init__(self, operation: Operation[Any], report: Reporter, label: str) -> None:
        self._operation = operation
        self._label = label
        self._report = report
        self.tick = report.tick
        self.say = report.say

    def show(self, state: ProgressState) -> None:
        self._report.show(self._label, self._operation._view(state))

    def end(self) -> None:
        self._report.end(self._label, self._operation.status)


class _Beat:
    """Wakes a loop now and then: a kernel's idle loop hears of an interrupt only when something else happens."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._again()

    def _again(self) -> None:
        self._handle = self._loop.call_later(_SLICE, self._again)

    def stop(self) -> None:
        self._handle.cancel()


def _in_ipython() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and cast("Any", ipython).get_ipython() is not None
