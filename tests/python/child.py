"""Child processes of tests, which a test that fails does not wait for."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike


@contextmanager
def child(
    command: Sequence[str | PathLike[str]], **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """Run a command, its output piped as text unless ``options`` of ``Popen`` say otherwise; the body's end kills it."""
    usual: dict[str, Any] = {"stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **(usual | options)) as process:
        try:
            yield process
        finally:
            process.kill()
