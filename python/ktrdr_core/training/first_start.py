"""What the first training of a process needs of Python, brought in beside the work of who makes a manager.

The reader of strategies and the look for LibTorch take a tenth of a second together. On an event loop that starts a
training they would hold up everything else for so long.
"""

from __future__ import annotations

import atexit
from contextlib import suppress
from threading import Lock, Thread

from .. import _bridge

# The interpreter's exit waits this long for an import under way. Seconds.
_EXIT_LIMIT = 2.0

_lock = Lock()
_thread: Thread | None = None


def prepare() -> None:
    """Bring it in, once a process; on a loop it is only begun, and goes on on a thread.

    Where no thread can be started, a training brings it in by itself.
    """
    global _thread
    with _lock:
        if _thread is None:
            _thread = Thread(target=_import, name="ktrdr-prepare", daemon=True)
            with suppress(RuntimeError):
                _thread.start()
                atexit.register(_thread.join, _EXIT_LIMIT)
    if _bridge.running_loop() is None:
        wait()


def wait() -> None:
    """Wait until it is there."""
    thread = _thread
    if thread is not None and thread.is_alive():
        thread.join()


def _import() -> None:
    # Who trains hears what is wrong with either.
    with suppress(Exception):
        from .. import strategies  # noqa: F401
    with suppress(Exception):
        from .torch_loader import check_installed

        check_installed()
