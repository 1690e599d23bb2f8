"""A sweep's trainings on the workers of an executor, each followed over a socket of its own.

The socket is how a worker tells of its progress and hears of a cancel; when either side is gone, the other one sees it end.
Futures alone can do neither. It lies in a folder that only its owner can open.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
from concurrent.futures import BrokenExecutor, Future
from contextlib import ExitStack, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..dates import iso
from ..operations.context import OperationProgress
from ..operations.failure import on_paper
from ..orchestrator import starting
from .folders import SOCKET, own_folder
from .here import TICK
from .work import Job, known_here, train_run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor
    from types import TracebackType

    from .. import _core
    from ..training import TrainingManager
    from .here import Here
    from .runs import Run

# A worker's line is progress or a few words; one that sends more is none of ours.
_MOST = 65536
#: How long a worker that has been told of a cancel is waited for, before its process is killed. Seconds.
PATIENCE = 30.0


class _Link:
    """One worker's socket, and what has come of it."""

    def __init__(self, its_socket: socket.socket) -> None:
        self.socket = its_socket
        self._rest = b""

    def lines(self) -> list[dict[str, Any]] | None:
        """Give what the worker has said; None when it is gone."""
        try:
            got = self.socket.recv(_MOST)
        except OSError:
            got = b""
        if not got or len(self._rest) > _MOST:
            return None
        *whole, self._rest = (self._rest + got).split(b"\n")
        return [json.loads(line) for line in whole]


class _Sent:
    """A run on its way through the executor."""

    def __init__(self, run: Run, native: _core.Operation, future: Future[dict[str, Any]]) -> None:
        self.run = run
        self.native = native
        self.future = future
        self.link: _Link | None = None
        self.connected = False
        self.pid: int | None = None
        self.told = False
        self.died = False
        #: When it was first told of a cancel, by a clock that only goes on.
        self.cancelled_at: float | None = None
        self.progress = OperationProgress(native)


class Workers:
    """Trains on an executor's workers; once one has died, in this process."""

    def __init__(
        self,
        parent: _core.Operation,
        training: TrainingManager,
        asked: Mapping[str, Any],
        executor: Executor,
        here: Here,
    ) -> None:
        self._parent = parent
        self._training = training
        # Dates as texts: they travel.
        self._asked = {
            **asked,
            "start_date": iso("start_date", asked["start_date"]),
            "end_date": iso("end_date", asked["end_date"]),
        }
        self._executor = executor
        self._here = here
        self._sent: dict[int, _Sent] = {}
        self._broken = False
        self._again: list[Run] = []

    def __enter__(self) -> Workers:
        self._opened = ExitStack()
        self._address = str(self._opened.enter_context(own_folder()) / SOCKET)
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(self._address)
        self._door.listen(128)
        self._door.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._door, selectors.EVENT_READ)
        self._links: dict[int, _Link] = {}
        known_here[self._parent.id] = self._training
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the door: a worker that begins its run later finds nobody, and leaves it."""
        known_here.pop(self._parent.id, None)
        for descriptor in list(self._links):
            self._hang_up(descriptor)
        self._selector.close()
        self._door.close()
        self._opened.close()

    @property
    def has_room(self) -> bool:
        """Whether another run may begin now."""
        if self._broken:
            return not self._again and self._here.has_room
        return len(self._sent) < self._here._at_once

    def begin(self, run: Run) -> None:
        """Hand a run to the executor, as a child of the sweep."""
        if self._broken:
            self._here.begin(run)
            return
        native, _ = starting.create(
            "sweep_run", "", f"run {run.number}", None, None, 100, None, parent_id=self._parent.id
        )
        run.operation = native
        native.start()
        job = Job(
            sweep=self._parent.id,
            operation=native.id,
            number=run.number,
            pid=os.getpid(),
            address=self._address,
            data_dir=str(self._training._data_dir),
            models_dir=str(self._training.models_dir),
            strategy=run.strategy,
            asked={**self._asked, **run.dates},
        )
        try:
            future = self._executor.submit(train_run, job)
        except Exception as error:  # noqa: BLE001 - an executor is the caller's
            # It was shut down, or broke before this run could go to it: nothing has begun.
            self._parent.add_warning(
                f"the executor takes no more runs ({on_paper(error)[1]}): the rest trains here"
            )
            self._broken = True
            native.cancel("the executor takes no more runs", "parent")
            native.end()
            self._here.begin(run)
            return
        self._sent[run.number] = _Sent(run, native, future)

    def wait(self) -> None:
        """Wait a moment for news of the runs."""
        while self._again and self._here.has_room and not self._parent.token.is_cancelled():
            self._here.begin(self._again.pop(0))
        if not self._sent:
            self._here.wait()
            return
        self._look(TICK)
        if any(isinstance(_error_of(sent.future), BrokenExecutor) for sent in self._sent.values()):
            # Whose worker it was is seen at its socket, maybe since a moment ago.
            self._look(0)
        self._pass_on_cancels()
        self._collect()

    def stop(self) -> None:
        """Have all runs stop, and none begin."""
        self._again.clear()
        for sent in self._sent.values():
            sent.native.cancel("the sweep ends", "parent")
        self._here.stop()

    def _look(self, seconds: float) -> None:
        """Hear what the workers have said, or that they are gone."""
        gone: list[_Sent] = []
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._door:
                self._let_in()
            else:
                gone += self._hear(key.fd)
        for sent in gone:
            sent.died = True

    def _let_in(self) -> None:
        try:
            its_socket, _ = self._door.accept()
        except BlockingIOError:
            return
        its_socket.setblocking(False)
        self._links[its_socket.fileno()] = _Link(its_socket)
        self._selector.register(its_socket, selectors.EVENT_READ)

    def _hang_up(self, descriptor: int) -> None:
        link = self._links.pop(descriptor)
        self._selector.unregister(link.socket)
        link.socket.close()

    def _hear(self, descriptor: int) -> list[_Sent]:
        """Take what a worker says; the run whose worker is gone without a last word."""
        link = self._links[descriptor]
        lines = link.lines()
        if lines is None:
            self._hang_up(descriptor)
            return [
                sent
                for sent in self._sent.values()
                if sent.link is link and not sent.told and not sent.native.done
            ]
        for line in lines:
            sent = self._sent.get(line["run"])
            if sent is None:
                continue
            sent.link, sent.connected = link, True
            if "pid" in line:
                sent.pid = line["pid"]
                sent.native.add_metric({"worker_pid": sent.pid})
            if line.get("last") or line.get("terminated"):
                # One that the executor ends because another one died has still said so.
                sent.told = True
            elif "message" in line:
                sent.progress.update_progress(int(line["percentage"]), line["message"])
        return []

    def _pass_on_cancels(self) -> None:
        for sent in self._sent.values():
            if not sent.native.token.is_cancelled():
                continue
            if sent.link is not None and sent.link.socket.fileno() in self._links:
                with suppress(OSError):
                    sent.link.socket.send(b"cancel\n")
                self._lose_patience(sent)
            elif sent.future.cancel() or not sent.connected:
                # A worker that still starts finds the operation ended, or nobody at the door.
                sent.native.end()

    def _lose_patience(self, sent: _Sent) -> None:
        """Kill a worker that has been told, and neither ends nor says anything: one that was stopped, or hangs."""
        now = monotonic()
        if sent.cancelled_at is None:
            sent.cancelled_at = now
        # Its socket is open, so the process is there, and the id still its own. A thread of this one is left alone.
        if sent.told or sent.pid in (None, os.getpid()) or now - sent.cancelled_at < PATIENCE:
            return
        self._parent.add_warning(
            f"the worker of run {sent.run.number} (process {sent.pid}) did not stop within {PATIENCE:g} s of the cancel "
            "and was killed: its executor may be broken"
        )
        with suppress(OSError):
            os.kill(sent.pid, signal.SIGKILL)
        sent.pid = None

    def _collect(self) -> None:
        """End the runs whose futures have."""
        for number, sent in list(self._sent.items()):
            if sent.native.done:
                del self._sent[number]
            elif sent.died or sent.future.done():
                del self._sent[number]
                self._end(sent)

    def _end(self, sent: _Sent) -> None:
        if sent.native.token.is_cancelled():
            sent.native.end()
        elif sent.died:
            self._died(sent)
        elif sent.future.cancelled() or isinstance(_error_of(sent.future), BrokenExecutor):
            self._broken = True
            self._take_over(sent)
        elif (error := _error_of(sent.future)) is not None:
            sent.native.fail(*on_paper(error))
        else:
            answer = sent.future.result()
            if answer["error"] is not None:
                sent.native.fail(*answer["error"])
            else:
                sent.native.succeed(answer["result"])

    def _died(self, sent: _Sent) -> None:
        number = sent.run.number
        self._parent.add_warning(f"the worker of run {number} died")
        sent.native.fail(
            "operation_failed",
            f"run {number}: its worker process died while it trained (killed, or out of memory): train it alone, or "
            "with fewer workers",
            {"run": number},
        )

    def _take_over(self, sent: _Sent) -> None:
        """A run that another one's worker has ended begins anew here."""
        self._parent.add_warning(f"run {sent.run.number} begins anew here: the executor is broken")
        sent.native.cancel("its executor broke; it begins anew in this process", "parent")
        sent.native.end()
        sent.run.operation = None
        self._again.append(sent.run)


def _error_of(future: Future[dict[str, Any]]) -> BaseException | None:
    if not future.done() or future.cancelled():
        return None
    return future.exception()
