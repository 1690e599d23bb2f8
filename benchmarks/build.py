"""Builds the C++ side of an entry, on request."""

from __future__ import annotations

import os
import subprocess  # nosec B404
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def build(folder: str, target: str, *, torch: bool) -> Path:
    """Build a target below ``build/``, with this interpreter's torch or without; the folder it was built in.

    It is quick when nothing has changed.
    """
    path = ROOT / "build" / folder
    quiet(
        *("cmake", "-S", str(ROOT), "-B", str(path), "-G", "Ninja"),
        # Compiler and options of a Python build, by the same names: what that has compiled comes from ccache.
        f"-DCMAKE_CXX_COMPILER={os.environ.get('CXX', 'g++')}",
        *(
            "-DCMAKE_BUILD_TYPE=Release",
            "-DKTRDR_PYTHON=OFF",
            f"-DKTRDR_TORCH={'ON' if torch else 'OFF'}",
        ),
        *("-DKTRDR_TESTS=OFF", f"-DPython_EXECUTABLE={sys.executable}"),
    )
    quiet("cmake", "--build", str(path), "--target", target)
    return path


def quiet(*command: str) -> str:
    """Run a command and give what it says; on failure that is the error."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # nosec B603
    if done.returncode != 0:
        raise RuntimeError(
            f"{' '.join(command)} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        )
    return done.stdout
