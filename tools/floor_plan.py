"""Hold the floor plan: the table in docs/architecture.md, the CMake lists and the real includes must agree.

Run as a build step and by the tests. It needs nothing but Python's standard library.

The table says for each room on which floor it is, which rooms it may use and which libraries' headers it may include.
Checked are:

1. a room uses no room of a higher floor, and no rooms use each other in a circle;
2. `ktrdr_room(... USES ...)` in cpp/<room>/CMakeLists.txt lists exactly what the table allows;
3. every `#include <ktrdr/<room>/...>` stays within the list;
4. every other include is the standard library's, or a library's that the room may see;
5. no room reads the environment: it is read once, outside, and handed in.
"""

import argparse
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

# Whose header it is, by how its name begins. What every room may include stands in EVERYWHERE.
LIBRARIES = {
    "asio": ("boost/asio", "boost/beast"),
    "boost": ("boost/",),
    "fmt": ("fmt/",),
    "openssl": ("openssl/",),
    "python": ("pybind11/", "Python.h"),
    "sqlite": ("SQLiteCpp/", "sqlite3.h"),
    "torch": ("torch/", "ATen/", "c10/", "caffe2/"),
    "zlib": ("zlib.h",),
}
EVERYWHERE = {"boost", "fmt", "system"}
# The C library's and the kernel's headers; those of C++ have no dot in their names.
SYSTEM = re.compile(
    r"[a-z0-9_]+|(sys|netinet|arpa|linux)/[a-z0-9_]+\.h"
    r"|(unistd|fcntl|pthread|poll|signal|dlfcn|netdb|time|errno|sched|stdlib|cxxabi)\.h"
)
INCLUDE = re.compile(r'^\s*#\s*include\s*(?P<how>[<"])(?P<what>[^>"]+)[>"]')
ROW = re.compile(
    r"^\|\s*(?P<floor>\d+)\s*\|\s*`(?P<room>\w+)`\s*\|[^|]*\|(?P<uses>[^|]*)\|(?P<libraries>[^|]*)\|\s*$"
)
CMAKE_ROOM = re.compile(r"ktrdr_\w*room\(\s*(?P<name>\w+)(?P<rest>[^)]*)\)")
CMAKE_LINK = re.compile(r"(?:target_link_libraries|foreach)\(([^)]*)\)")
SOURCES = (".hpp", ".cpp", ".h", ".cc")


@dataclass(frozen=True)
class Room:
    """One row of the table."""

    name: str
    floor: int
    uses: frozenset[str]
    libraries: frozenset[str]


@dataclass
class Findings:
    """What does not agree, each with the place to look at."""

    lines: list[str] = field(default_factory=list)

    def add(self, place: object, message: str) -> None:
        self.lines.append(f"{place}: {message}")


def read_table(path: Path) -> dict[str, Room]:
    """Return the rooms of the floor plan's table, in its order; `all` stands for every room of a lower floor."""
    rows = [
        match
        for line in path.read_text(encoding="utf-8").splitlines()
        if (match := ROW.match(line))
    ]
    floors = {row["room"]: int(row["floor"]) for row in rows}
    rooms = {}
    for row in rows:
        name = row["room"]
        uses = set(re.findall(r"\w+", row["uses"]))
        if uses == {"all"}:
            uses = {other for other, floor in floors.items() if floor < floors[name]}
        rooms[name] = Room(
            name, floors[name], frozenset(uses), frozenset(re.findall(r"\w+", row["libraries"]))
        )
    return rooms


def read_cmake_uses(path: Path, known: set[str]) -> set[str] | None:
    """Return the rooms a CMakeLists.txt links: its USES list, else those it names in a loop or among the targets."""
    text = re.sub(r"#[^\n]*", "", path.read_text(encoding="utf-8"))
    if match := CMAKE_ROOM.search(text):
        listed = re.search(r"\bUSES\b(.*?)(?:\b[A-Z]{2,}\b|$)", match["rest"], re.DOTALL)
        return set(listed[1].split()) if listed else set()
    linked = {
        word.removeprefix("ktrdr_").removesuffix("_headers")
        for arguments in CMAKE_LINK.findall(text)
        for word in arguments.split()
    }
    return linked & known or None


def library_of(header: str) -> str | None:
    """Return whose header it is, "system" for the standard libraries, None where nobody is known."""
    for library, prefixes in LIBRARIES.items():
        if header.startswith(prefixes):
            return library
    return "system" if SYSTEM.fullmatch(header) else None


def circle(rooms: dict[str, Room], start: str) -> list[str] | None:
    """Return a way from a room over the rooms it may use back to itself, None where there is none."""
    ways = [[start]]
    seen = set()
    while ways:
        way = ways.pop()
        for used in sorted(rooms[way[-1]].uses & rooms.keys()):
            if used == start:
                return [*way, used]
            if used not in seen:
                seen.add(used)
                ways.append([*way, used])
    return None


def check_table(rooms: dict[str, Room], folders: set[str], table: Path, findings: Findings) -> None:
    """Check that table and folders name the same rooms and that nothing is used upwards or in a circle."""
    for name in sorted(folders - rooms.keys()):
        findings.add(table, f"room '{name}' has a folder in cpp/ and no row in the table")
    for name in sorted(rooms.keys() - folders):
        findings.add(table, f"room '{name}' has a row in the table and no folder in cpp/")
    for room in rooms.values():
        for used in sorted(room.uses):
            if used not in rooms:
                findings.add(table, f"room '{room.name}' may use '{used}', which is no room")
            elif rooms[used].floor > room.floor:
                findings.add(
                    table,
                    f"room '{room.name}' on floor {room.floor} may use '{used}' on floor {rooms[used].floor}; "
                    "a room uses nothing above it",
                )
        if way := circle(rooms, room.name):
            findings.add(table, "rooms use each other in a circle: " + " -> ".join(way))
        for library in sorted(room.libraries - LIBRARIES.keys()):
            findings.add(
                table,
                f"room '{room.name}' may include '{library}', a library tools/floor_plan.py does not know",
            )


def check_cmake(rooms: dict[str, Room], cpp: Path, findings: Findings) -> None:
    """Check each room's link list against the table."""
    for room in rooms.values():
        path = cpp / room.name / "CMakeLists.txt"
        if not path.exists():
            continue
        linked = read_cmake_uses(path, set(rooms))
        if linked is None:
            continue  # It links the library of all rooms.
        linked.discard(room.name)
        for used in sorted(linked - room.uses):
            findings.add(
                path, f"links room '{used}', which the table does not allow to '{room.name}'"
            )
        for used in sorted(room.uses - linked):
            findings.add(
                path, f"does not link room '{used}', which the table gives to '{room.name}'"
            )


def check_include(room: Room, what: str, quoted: bool) -> str | None:
    """Return what is wrong with one include of a room, None where nothing is."""
    if what.startswith("ktrdr/"):
        other = what.split("/")[1]
        if other != room.name and other not in room.uses:
            return f"'{room.name}' includes <{what}>; the table does not let it use '{other}'"
        return None
    if quoted:
        # A private header in the room's own src; a path out of it would go around the include roots.
        return (
            f'"{what}" leaves the room; include by <ktrdr/...>' if ".." in what.split("/") else None
        )
    library = library_of(what)
    if library is None:
        return f"<{what}> belongs to no library that tools/floor_plan.py knows; name it there and in the table"
    if library not in EVERYWHERE | room.libraries:
        return f"'{room.name}' includes <{what}>; the table does not let it see {library}"
    return None


def check_sources(room: Room, folder: Path, findings: Findings) -> None:
    """Check every include of a room, and that it leaves the environment alone."""
    for path in sorted(path for path in folder.rglob("*") if path.suffix in SOURCES):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if include := INCLUDE.match(line):
                message = check_include(room, include["what"], include["how"] == '"')
                if message is not None:
                    findings.add(f"{path}:{number}", message)
            elif re.search(r"\b(secure_)?getenv\s*\(", line) and not line.lstrip().startswith("//"):
                findings.add(
                    f"{path}:{number}",
                    "reads the environment; take it from the Env that is handed in",
                )


def check(root: Path) -> list[str]:
    """Return everything in which table, CMake lists and sources of a working tree disagree."""
    findings = Findings()
    table, cpp = root / "docs" / "architecture.md", root / "cpp"
    rooms = read_table(table)
    if not rooms:
        findings.add(
            table, "no floor plan found: rows are | floor | `room` | what | may use | libraries |"
        )
    folders = {path.name for path in cpp.iterdir() if path.is_dir()}
    check_table(rooms, folders, table, findings)
    check_cmake(rooms, cpp, findings)
    for room in rooms.values():
        if room.name in folders:
            check_sources(room, cpp / room.name, findings)
    return findings.lines


def main() -> int:
    """Check the tree this file lies in, or the one named; print what does not agree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parents[1])
    findings = check(parser.parse_args().root)
    for line in findings:
        print(f"floor plan: {line}", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
