"""What this process holds at the moment."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from functools import _lru_cache_wrapper
from pathlib import Path

from ktrdr_core import _bridge, _core

#: A sanitizer's allocator keeps what is freed: memory says nothing then.
SANITIZED = "san.so" in os.environ.get("LD_PRELOAD", "")

#: How long native threads may take to let go of what a test had. Seconds.
limit = 10.0
# Longer than a native thread takes, unless it has something left to do. Seconds.
_AT_ONCE = 0.05


def resident() -> int:
    """Bytes of memory, after a collection of garbage."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int:
    """Count the open descriptors."""
    return len(os.listdir("/proc/self/fd"))


def threads() -> int:
    """Count the threads, ours and others."""
    return len(os.listdir("/proc/self/task"))


def native_objects() -> dict[str, int]:
    """Count the live objects of the core by class, with what this thread keeps for good."""
    _bridge.thread_post()
    return _core.live_objects()


def left_alive(before: dict[str, int]) -> dict[str, int]:
    """Wait until no more objects of the core are alive than before; what there is too much of even then."""
    left = _core.wait_for_live(before, 0)
    with warnings.catch_warnings():
        # Of a loop that was closed before its work began: who records the warning holds the work.
        warnings.filterwarnings("ignore", message="coroutine 'drive' was never awaited")
        if left:
            # News that came for a wait that was given up.
            _bridge.thread_post().wait(0)
            # What is young: a whole collection takes a hundred times as long.
            gc.collect(1)
            left = _core.wait_for_live(before, min(_AT_ONCE, limit))
        if left:
            _forget_routes()
            gc.collect()
            left = _core.wait_for_live(before, limit)
    return left


def _forget_routes() -> None:
    """Empty FastAPI's caches, which keep the routes of apps that are gone."""
    for name in [name for name in sys.modules if name.startswith("fastapi.")]:
        for value in vars(sys.modules[name]).values():
            if isinstance(value, _lru_cache_wrapper):
                value.cache_clear()
