"""What is not installed, and the command that installs it: the one place that knows which extra brings which module."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from .errors import FeatureNotAvailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

# A module and the extra of pyproject.toml that brings it; a test compares the two.
EXTRAS = {
    "bokeh_sampledata": "demo",
    "exchange_calendars": "calendars",
    "fastapi": "fastapi",
    "h11": "fastapi",
    "ib_async": "ib",
    "ipywidgets": "notebook",
    "matplotlib": "notebook",
    "pandas": "notebook",
    "ray": "ray",
    "sse_starlette": "fastapi",
    "starlette": "fastapi",
    "torch": "train",
    "uvicorn": "fastapi",
}

# No extra brings these: who has frames of them has them.
BY_NAME = {"polars", "pyarrow"}


def pip_install(*arguments: str) -> str:
    """Give the command that installs into this very interpreter, as a shell takes it.

    ``pip`` where a shell finds that of this interpreter; without pip, as in environments that uv made, uv's.
    """
    quoted = shlex.join(arguments)
    beside = Path(sys.executable).parent
    found = shutil.which("pip")
    if found is not None and Path(found).parent == beside:
        return f"pip install {quoted}"
    python = shlex.quote(sys.executable)
    if find_spec("pip") is None:
        return f"uv pip install --python {python} {quoted}"
    return f"{python} -m pip install {quoted}"


def install_extra(extra: str) -> str:
    """Give the command that installs an extra of this package."""
    return pip_install(f"ktrdr-core[{extra}]")


def missing(what: str, *modules: str) -> FeatureNotAvailableError:
    """Make the error for something that needs modules which are not there; each must be in ``EXTRAS`` or ``BY_NAME``."""
    extras = ",".join(dict.fromkeys(EXTRAS[name] for name in modules if name in EXTRAS))
    wanted = [f"ktrdr-core[{extras}]"] if extras else []
    wanted += [name for name in modules if name in BY_NAME]
    names = " and ".join(modules)
    verb = "is" if len(modules) == 1 else "are"
    return FeatureNotAvailableError(
        f"{what} needs {names}, which {verb} not installed: {pip_install(*wanted)}",
        context={"missing": list(modules), "extra": extras},
    )


def rebuild_with(extra: str) -> str:
    """Give the command that builds this package once more, from where it was installed, with an extra."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        place = json.loads(distribution("ktrdr-core").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        place = {}
    url = str(place.get("url", ""))
    if not url.startswith("file://"):
        return (
            pip_install("--force-reinstall", "--no-deps", "--no-cache-dir", "ktrdr-core")
            + f" && {install_extra(extra)}"
        )
    source = Path(unquote(urlsplit(url).path))
    if not place.get("dir_info", {}).get("editable"):
        return pip_install(f"{source}[{extra}]")
    if Path(sys.prefix) == source / ".venv":
        return f"make -C {shlex.quote(str(source))} build"
    return pip_install("--editable", f"{source}[{extra}]")


@contextmanager
def needed_by(what: str) -> Iterator[None]:
    """Have imports inside name the extra that brings what they lack; ``what`` begins the message.

    A module that is there and does not fit is told of with the same command: an installation by hand may be too old.

    Raises
    ------
    FeatureNotAvailableError
        In place of the ImportError.
    """
    try:
        yield
    except FeatureNotAvailableError:
        raise
    except ImportError as error:
        module = (error.name or "").partition(".")[0]
        if module not in EXTRAS and module not in BY_NAME:
            raise
        if isinstance(error, ModuleNotFoundError) and error.name == module:
            raise missing(what, module) from error
        extra = EXTRAS.get(module, "")
        command = install_extra(extra) if extra else pip_install("--upgrade", module)
        raise FeatureNotAvailableError(
            f"{what} needs another {module} than the one that is installed ({error}): {command}",
            context={"missing": [module], "extra": extra},
        ) from error


def require(what: str, *modules: str) -> None:
    """Raise FeatureNotAvailableError unless all of these modules can be found; none is imported."""
    lacking = [name for name in modules if find_spec(name) is None]
    if lacking:
        raise missing(what, *lacking)
