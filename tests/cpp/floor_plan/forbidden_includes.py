"""Try every pair of rooms: an include the floor plan forbids must not compile, one it allows must be found.

    forbidden_includes.py <build folder>

The flags are the real ones, out of the build's compile_commands.json.
"""

import concurrent.futures
import itertools
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ROOM = re.compile(r"ktrdr_(?P<room>\w+)\.dir/")


def include_roots(build: Path) -> dict[str, list[str]]:
    """Return for each room that is built the folders its own sources are searched in."""
    roots: dict[str, list[str]] = {}
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        if match := ROOM.search(entry["command"]):
            words = shlex.split(entry["command"])
            folders = [word[2:] for word in words if word.startswith("-I")]
            folders += [after for word, after in itertools.pairwise(words) if word == "-isystem"]
            roots[match["room"]] = folders
    return roots


def compiles(source: str, folders: list[str]) -> bool:
    """Return whether one line of C++ passes the compiler's front end with these include folders."""
    flags = [flag for folder in folders for flag in ("-I", folder)]
    command = ["g++", "-std=c++20", "-fsyntax-only", "-x", "c++", *flags, "-"]
    return (
        subprocess.run(
            command, input=source, text=True, capture_output=True, check=False
        ).returncode
        == 0
    )


def a_header(room: str) -> str:
    """Return how a header of the room is included."""
    root = ROOT / "cpp" / room / "include"
    return min(path for path in root.rglob("*.hpp")).relative_to(root).as_posix()


def failure(room: str, other: str, folders: list[str]) -> str | None:
    """Return what is wrong with how `room` sees `other`."""
    header = a_header(other)
    if str(ROOT / "cpp" / other / "include") in folders:
        # Found is enough: its own room compiles it.
        if compiles(f"#if !__has_include(<{header}>)\n#error not found\n#endif\n", folders):
            return None
        return f"{room} may include <{header}> and does not find it"
    return (
        f"{room} must not include <{header}> and it compiles"
        if compiles(f"#include <{header}>\n", folders)
        else None
    )


def main() -> int:
    """Try the pairs and print those that are wrong."""
    roots = include_roots(Path(sys.argv[1]))
    rooms = [
        path.parent.name for path in sorted(ROOT.glob("cpp/*/include")) if any(path.rglob("*.hpp"))
    ]
    pairs = [(room, other) for room in sorted(roots) if room in rooms for other in rooms]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        results = pool.map(lambda pair: failure(pair[0], pair[1], roots[pair[0]]), pairs)
        found = [message for message in results if message]
    for message in found:
        print(message, file=sys.stderr)
    allowed = sum(str(ROOT / "cpp" / other / "include") in roots[room] for room, other in pairs)
    print(
        f"{len(pairs)} pairs of rooms: {allowed} allowed, {len(pairs) - allowed} forbidden, {len(found)} wrong"
    )
    return 1 if found or not pairs else 0


if __name__ == "__main__":
    sys.exit(main())
