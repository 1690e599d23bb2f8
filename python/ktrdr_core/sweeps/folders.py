"""The folder in which a sweep's workers find its socket, and those of sweeps whose process was killed."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "ktrdr-sweep-"
#: The socket in it; there is nothing else.
SOCKET = "s"


@contextmanager
def own_folder() -> Iterator[Path]:
    """Make a folder that only its owner can open, and hold it until the end.

    It is locked for as long as its process lives: who finds it unlocked may remove it.
    """
    held = None
    while held is None:
        folder = tempfile.mkdtemp(prefix=_PREFIX)
        # Another sweep may find it before it is locked, and remove it.
        held = _held(folder)
    try:
        yield Path(folder)
    finally:
        _remove(folder, held)
        os.close(held)


def remove_leftovers() -> None:
    """Remove the folders of sweeps whose process is gone: those that are ours, and that nobody holds."""
    parent = tempfile.gettempdir()
    with suppress(OSError), os.scandir(parent) as entries:
        names = [entry.path for entry in entries if entry.name.startswith(_PREFIX)]
        for path in names:
            _remove_left(path)


def _remove_left(path: str) -> None:
    try:
        # No link is followed: the folder above is everybody's.
        held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        if os.fstat(held).st_uid == os.getuid() and _lock(held):
            _remove(path, held)
    finally:
        os.close(held)


def _remove(path: str, held: int) -> None:
    """Remove the socket and the folder; what else lies there was put by somebody else, and stays."""
    with suppress(OSError):
        if stat.S_ISSOCK(os.stat(SOCKET, dir_fd=held, follow_symlinks=False).st_mode):
            os.unlink(SOCKET, dir_fd=held)
    with suppress(OSError):
        os.rmdir(path)


def _held(folder: str) -> int | None:
    """Open and lock a folder of ours; None where it is gone."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    if _lock(held) and _is_there(folder, held):
        return held
    os.close(held)
    return None


def _lock(held: int) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_there(path: str, held: int) -> bool:
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(found, os.fstat(held))
