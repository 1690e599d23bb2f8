"""How news of the native threads reaches Python: by mailbox, never by a call.

A native thread puts plain data into a mailbox and makes its descriptor readable; the code here takes it out on the
thread that waits: an event loop's (``LoopPost``) or one that blocks in ``result()`` (``ThreadPost``).
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import ref

from .. import _core
from . import runtime

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future, Task
    from collections.abc import Coroutine

    from .notifier import Notifier

Handler = Callable[[str, Any], None]

# A burst of news is handled in slices, so that a loop is never held longer than this. Seconds.
_SLICE = 0.005
# A thread that waits looks at signals this often. Seconds.
_LOOK = 0.05
# At most so much news is taken at a time, for the same reason.
_BURST = 1024
# How long a loop goes on watching its mailbox after the last one who waits. Seconds.
_REST = 0.05
#: How often something that can only be polled is looked at. Seconds.
POLL = 0.02


class Post:
    """A mailbox and who waits for what in it. Confined to one thread."""

    def __init__(self) -> None:
        self.mailbox = _core.Mailbox()
        #: Taken out of the mailbox and not delivered yet.
        self._backlog: deque[tuple[int, str, Any]] = deque()
        self._handlers: dict[int, Handler] = {}
        self._last_key = 0

    def add(self, handler: Handler) -> int:
        """Register a handler; the key to listen under."""
        self._last_key += 1
        self._handlers[self._last_key] = handler
        return self._last_key

    def remove(self, key: int) -> None:
        """Forget a handler; news that is still under way for it is dropped."""
        self._handlers.pop(key, None)

    def _deliver(self, mail: tuple[int, str, Any]) -> None:
        """Hand mail to who waits for it; only Ctrl-C and ``SystemExit`` come out of this."""
        handler = self._handlers.get(mail[0])
        if handler is None:
            return
        try:
            handler(mail[1], mail[2])
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a failure stays one listener's
            report("a listener raised", error)

    def forget(self, key: int) -> None:
        """``remove`` from any thread."""
        self.remove(key)

    def expects(self, key: int) -> bool:
        """Whether somebody waits for mail under this key."""
        return key in self._handlers


class ThreadPost(Post):
    """The mailbox of a thread that blocks until there is news; pollers are called while it does."""

    def __init__(self) -> None:
        super().__init__()
        self._pollers: list[Callable[[], bool]] = []

    def add_poller(self, poller: Callable[[], bool]) -> None:
        """Call ``poller`` every 20 ms of a wait, until it replies False."""
        self._pollers.append(poller)

    def wait(self, seconds: float) -> None:
        """Block for at most ``seconds`` (the GIL is released), then handle what has come.

        What a Ctrl-C in the middle of it leaves over is handled by the next call.
        """
        if self._pollers:
            self._poll()
            seconds = min(seconds, POLL)
        if not self._backlog:
            self.mailbox.wait(seconds)
            self._backlog.extend(self.mailbox.take(_BURST))
        while self._backlog:
            self._deliver(self._backlog.popleft())
        runtime.forward_logs()

    def _poll(self) -> None:
        for poller in list(self._pollers):
            if not poller():
                self._pollers.remove(poller)

    def wait_until(self, condition: Callable[[], object], timeout: float | None) -> bool:
        """``wait`` until the condition holds, at most ``timeout`` seconds; whether it does."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not condition():
            left = _LOOK if deadline is None else min(_LOOK, deadline - time.monotonic())
            if left < 0:
                return False
            self.wait(left)
        return True


class LoopPost(Post):
    """The mailbox of an event loop; its descriptor is watched only while somebody waits, and a moment longer."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        super().__init__()
        # Weak, so that a loop that nobody else holds goes at once.
        self._loop = ref(loop)
        #: Of calls: what resolves them runs nobody's code, so they need no turn.
        self._replies: dict[int, Future[tuple[bool, Any]]] = {}
        self._tasks: dict[Task[Any], _core.Operation] = {}
        self._works: dict[int, _core.Operation] = {}
        self._watched = False
        self._resting = False
        self._notifier: Notifier | None = None

    @property
    def loop(self) -> AbstractEventLoop:
        loop = self._loop()
        if loop is None:
            raise RuntimeError("the event loop of this mailbox is gone")
        return loop

    def add(self, handler: Handler) -> int:
        if not self._watched:
            self._watch()
        return super().add(handler)

    def expect(self) -> tuple[int, Future[tuple[bool, Any]]]:
        """Wait for the reply to a call: the key for it, and what will have it."""
        if not self._watched:
            self._watch()
        self._last_key = key = self._last_key + 1
        self._replies[key] = expected = self.loop.create_future()
        return key, expected

    def expects(self, key: int) -> bool:
        return key in self._replies or super().expects(key)

    def remove(self, key: int) -> None:
        if self._replies.pop(key, None) is None:
            super().remove(key)
            self._works.pop(key, None)
        if self._replies or self._handlers or self._resting:
            return
        loop = self._loop()
        # Watching costs two system calls, more than a short operation itself: the next one may come at once.
        if loop is not None and not loop.is_closed():
            self._resting = True
            loop.call_later(_REST, self._rest)

    def forget(self, key: int) -> None:
        loop = self._loop()
        if loop is None or loop.is_closed() or running_loop() is loop:
            self.remove(key)
        else:
            loop.call_soon_threadsafe(self.remove, key)

    # ---- work that runs on this loop

    def start_task(self, native: _core.Operation, work: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine in a task that lives as long as its loop does; a loop itself holds tasks weakly."""
        try:
            task = self.loop.create_task(work, name=f"ktrdr_core {native.id}")
        except BaseException:
            # A task factory is a caller's own.
            work.close()
            raise
        self._tasks[task] = native
        if not self._watched:
            self._watch()
        task.add_done_callback(self._task_done)

    def _task_done(self, task: Task[Any]) -> None:
        native = self._tasks.pop(task)
        if task.cancelled():
            # A task that is cancelled before its first step runs none of its code.
            _abandon(native, "the task that was to run it was cancelled")

    def add_work(self, handler: Handler, native: _core.Operation) -> int:
        """``add``, and have the operation end if this loop is closed before the handler is removed."""
        key = self.add(handler)
        self._works[key] = native
        return key

    def works_for(self, operation_id: str) -> bool:
        """Whether the work of an operation runs on this loop: it stands still for as long as the loop does."""
        natives = (*self._works.values(), *self._tasks.values())
        return any(native.id == operation_id for native in natives)

    def is_task_of(self, operation_id: str) -> bool:
        """Whether the task that runs here is the one that does an operation's work: it cannot wait for its own end."""
        import asyncio

        task = asyncio.current_task()
        native = None if task is None else self._tasks.get(task)
        return native is not None and native.id == operation_id

    def lost(self) -> None:
        """The loop was closed, or let go of: nothing that ran on it goes on."""
        self._watched = False
        # Its thread ends now, and would keep this mailbox in a cycle.
        self._notifier = None
        works = [*self._works.values(), *self._tasks.values()]
        self._works = {}
        for native in works:
            _abandon(native, "the event loop that it ran on was closed")

    # ---- watching

    def _watch(self) -> None:
        try:
            self.loop.add_reader(self.mailbox.fileno(), _Reader(self))
        except NotImplementedError:
            from .notifier import Notifier

            self._notifier = Notifier(self.loop, self.mailbox.fileno(), self._take, self.lost)
        self._watched = True

    def _rest(self) -> None:
        self._resting = False
        if not self._watched or self._replies or self._handlers or self._tasks:
            return
        self._watched = False
        if self._notifier is None:
            self.loop.remove_reader(self.mailbox.fileno())
        else:
            self._notifier.stop()
            self._notifier = None

    def _take(self) -> None:
        # While there is a backlog `_work` is on its way.
        if self._backlog:
            return
        replies = self._replies
        for mail in self.mailbox.take(_BURST):
            reply = replies.get(mail[0])
            if reply is None:
                self._backlog.append(mail)
            elif not reply.done():
                reply.set_result(mail[2])
        try:
            runtime.forward_logs()
        finally:
            self._work()

    def _work(self) -> None:
        until = time.monotonic() + _SLICE
        try:
            while self._backlog:
                self._deliver(self._backlog.popleft())
                if time.monotonic() > until:
                    break
        finally:
            # Also when a Ctrl-C passes through here and stops the loop: it may run again.
            if self._backlog:
                self.loop.call_soon(self._work)


def _abandon(native: _core.Operation, why: str) -> None:
    """End an operation whose work does not go on; one that has ended stays as it is."""
    native.cancel(why, "shutdown")
    native.end()


class _Reader:
    """What the loop calls; the loop lets go of it only when it is told to, or is closed."""

    __slots__ = ("_post",)

    def __init__(self, post: LoopPost) -> None:
        self._post = post

    def __call__(self) -> None:
        self._post._take()

    def __del__(self) -> None:
        if self._post._watched:
            self._post.lost()


def report(message: str, error: BaseException) -> None:
    """Tell the running loop's exception handler, or the log where no loop runs; stderr where these fail too."""
    try:
        loop = running_loop()
        if loop is not None:
            loop.call_exception_handler({"message": message, "exception": error})
            return
        import logging

        logging.getLogger("ktrdr_core").error(message, exc_info=error)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - it is often logging that this tells of
        import traceback

        # As logging itself does when a handler fails.
        with suppress(Exception):
            print(f"ktrdr_core: {message}", file=sys.stderr)
            traceback.print_exception(error)


# Where a loop keeps its mailbox. An attribute of the loop and no dictionary of ours, not even a weak one: handlers know
# tasks and tasks know their loop, so a dictionary's value would keep its own key alive for ever.
_ATTRIBUTE = "_ktrdr_core_post"
_threads = threading.local()


def thread_post() -> ThreadPost:
    """The mailbox of this thread, for waits without an event loop."""
    if runtime.orphaned:
        runtime.start()  # which says why nothing would ever come
    post: ThreadPost | None = getattr(_threads, "post", None)
    if post is None:
        post = _threads.post = ThreadPost()
    return post


def running_loop() -> AbstractEventLoop | None:
    """The event loop that runs on this thread, without importing asyncio for the question."""
    if "asyncio" not in sys.modules:
        return None
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def loop_post() -> LoopPost:
    """The mailbox of the running loop."""
    import asyncio

    if runtime.orphaned:
        runtime.start()
    loop = asyncio.get_running_loop()
    post: LoopPost | None = getattr(loop, _ATTRIBUTE, None)
    if post is None:
        post = LoopPost(loop)
        setattr(loop, _ATTRIBUTE, post)
    return post


def here() -> Post:
    """The mailbox of the running loop, of this thread where none runs."""
    return thread_post() if running_loop() is None else loop_post()
