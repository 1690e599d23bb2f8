"""What an executor's worker does: one training, followed and stopped over the sweep's socket."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from ..operations.failure import on_paper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..operations import Operation
    from ..strategies import Strategy
    from ..training import TrainingManager

#: The managers of the sweeps that run in this process, for workers that are its threads.
known_here: dict[str, TrainingManager] = {}
# How long a training is waited for before a cancel is looked for. Seconds.
_TICK = 0.02
_CANCELLED: tuple[str, str, dict[str, Any]] = ("cancelled", "the sweep has ended", {})


@dataclass(frozen=True)
class Job:
    """All that a worker needs to know of a run; it travels to other processes."""

    sweep: str
    operation: str
    number: int
    pid: int
    address: str
    data_dir: str
    models_dir: str
    strategy: Strategy
    asked: dict[str, Any]


def train_run(job: Job) -> dict[str, Any]:
    """Train as the job says; the answer has ``result`` or ``error``, each plain, for not every error can travel."""
    _leave_with_the_parent()
    with socket.socket(socket.AF_UNIX) as link, _last_words(job, link), ExitStack() as stack:
        try:
            link.connect(job.address)
            link.sendall(_line(job, pid=os.getpid()))
        except OSError:
            return {"result": None, "error": _CANCELLED}
        try:
            operation = _begun(job, stack)
            _follow(job, operation, link)
            answer = {"result": operation._native.result(), "error": None}
        except Exception as error:  # noqa: BLE001 - whatever it is, the sweep's table tells of it
            answer = {"result": None, "error": on_paper(error)}
        _say(link, _line(job, last=True))
    return answer


@cache
def _leave_with_the_parent() -> None:
    """See that this process, where it is a worker, ends with the one it works for: a pool's workers would stay for good."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def leave() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=leave, name="ktrdr-parent", daemon=True).start()


@contextmanager
def _last_words(job: Job, link: socket.socket) -> Iterator[None]:
    """Say so when this worker of a pool is asked to end, as a pool does with all once one of them has died."""
    main = threading.current_thread() is threading.main_thread()
    if multiprocessing.parent_process() is None or not main:
        yield
        return

    def leave(number: int, _frame: object) -> None:
        _say(link, _line(job, terminated=True))
        os._exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _begun(job: Job, stack: ExitStack) -> Operation[dict[str, Any]]:
    training = known_here.get(job.sweep) if job.pid == os.getpid() else None
    if training is None:
        from ..data import DataManager
        from ..training import TrainingManager

        data = stack.enter_context(DataManager(job.data_dir, use_ib_host_service=False))
        made = TrainingManager(data, job.models_dir, use_training_host_service=False)
        training = stack.enter_context(made)
    return training.train_multi_symbol_strategy(job.strategy, **job.asked)


def _follow(job: Job, operation: Operation[dict[str, Any]], link: socket.socket) -> None:
    """Wait for the end; a cancel of the sweep, or its own end, cancels the training."""
    said = ""
    while not operation._native.wait(_TICK):
        if _told_to_stop(link):
            operation.cancel("its sweep was cancelled")
        state = operation.progress
        if state.message != said:
            said = state.message
            _say(link, _line(job, percentage=state.percentage, message=said))


def _told_to_stop(link: socket.socket) -> bool:
    """Whether the sweep has said so, or is gone; it says nothing else."""
    try:
        link.recv(64, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _line(job: Job, **facts: Any) -> bytes:
    return json.dumps({"run": job.number, **facts}).encode() + b"\n"


def _say(link: socket.socket, line: bytes) -> None:
    """Say something; who does not listen misses it, and who is gone is noticed elsewhere."""
    try:
        link.sendall(line)
    except OSError:
        return
