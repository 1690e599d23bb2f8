"""A fresh copy of the tree, set up without compiling or installing anything, and what its pages tell to paste."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
_SITE = Path(sysconfig.get_path("purelib"))
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$\n?", re.DOTALL | re.MULTILINE)
# What an interactive shell says before its next prompt, of what ran in the background.
_JOB_ENDS = re.compile(r"\[\d+\][+-]? +(Done|Terminated) ")
_NAMED = re.compile(r"# (\w+\.py)\n")


class Block(NamedTuple):
    """A block of a page, and what the page says that it prints; None where it says nothing."""

    place: str
    kind: str
    code: str
    prints: str | None

    @property
    def has_name(self) -> bool:
        """Whether its first line says under which name it is to be saved."""
        return _NAMED.match(self.code) is not None

    @property
    def file(self) -> str:
        """The name under which it is saved."""
        named = _NAMED.match(self.code)
        return named[1] if named else re.sub(r"\W", "_", self.place) + ".py"


def blocks(page: Path) -> list[Block]:
    """Read the blocks of a page in their order; one of kind ``text`` directly below another is what that prints."""
    found: list[Block] = []
    text, end = page.read_text(), -1
    for fence in _FENCE.finditer(text):
        kind, code = fence.groups()
        if kind == "text" and found and not text[end : fence.start()].strip():
            found[-1] = found[-1]._replace(prints=code)
        else:
            found.append(Block(f"{page.stem}-{len(found)}", kind, code, None))
        end = fence.end()
    return found


def is_slow_step(line: str) -> bool:
    """Tell what asyncio's debug mode says of a step over 0.1 s: a machine under load is no defect of an example."""
    return line.startswith("Executing <") and line.endswith(" seconds")


def prints(block: Block, said: str) -> bool:
    """Say whether a block printed what its page says, ``…`` standing for anything.

    Where the page says nothing, a program prints something, and a command what it likes.
    """
    if block.prints is None:
        return block.kind != "python" or bool(said.strip())
    said = "\n".join(
        line for line in said.splitlines() if not (is_slow_step(line) or _JOB_ENDS.match(line))
    )
    parts = [re.escape(part) for part in block.prints.strip().split("…")]
    return re.fullmatch(".*?".join(parts), said.strip(), re.DOTALL) is not None


def fresh_copy(folder: Path) -> Path:
    """Copy what git knows or would take, and give it an environment that finds the packages of this one.

    The package itself is that of the copy; its libraries are those installed here.
    """
    copy = folder / "ktrdr core"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    _environment(copy)
    _nothing_to_build(copy)
    return copy


def _environment(copy: Path) -> None:
    place = copy / ".venv"
    venv.create(place, symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = place / "lib" / version / "site-packages"
    for part in _SITE.glob("*ktrdr_core*"):
        if part.is_dir():
            shutil.copytree(part, site / part.name)
        else:
            (site / part.name).write_text(
                part.read_text().replace(str(ROOT / "python"), str(copy / "python"))
            )
    # A plain folder: none of the .pth files there is obeyed, so this package is not found twice.
    (site / "others.pth").write_text(f"{_SITE}\n")
    command = place / "bin" / "ktrdr-core"
    # A first line holds no name with a space.
    command.write_text(
        f"#!/bin/sh\n'''exec' '{place / 'bin' / 'python'}' \"$0\" \"$@\"\n' '''\n"
        "from ktrdr_core.cli import main\n\nmain()\n"
    )
    command.chmod(0o755)


def _nothing_to_build(copy: Path) -> None:
    """Make a build folder that is up to date, and the marks by which ``tools/setup.sh`` knows that everything is there."""
    folder = copy / "build" / str(sys.implementation.cache_tag)
    folder.mkdir(parents=True)
    (folder / "build.ninja").write_text("build all: phony\ndefault all\n")
    (folder / "CMakeCache.txt").write_text(
        f"CMAKE_GENERATOR:INTERNAL=Ninja\nCMAKE_MAKE_PROGRAM:FILEPATH={shutil.which('ninja')}\n"
        f"CMAKE_HOME_DIRECTORY:INTERNAL={copy}\nCMAKE_PROJECT_NAME:STATIC=ktrdr_core\n"
    )
    marks = copy / ".venv" / ".ktrdr"
    marks.mkdir()
    (marks / "place").write_text(f"{copy}\n")
    (marks / "libraries").touch()
    for mark, function in (("requirements-demo", "key"), ("package", "package_key")):
        command = f'. tools/setup.sh demo; {function} >".venv/.ktrdr/{mark}"'
        subprocess.run(["bash", "-c", command], cwd=copy, check=True)
