"""Hold the floor plan: the table in docs/architecture.md, the CMake lists and the real includes must agree.

Run as a build step and by the tests. It needs nothing but Python's standard library.

The table says for each room on which floor it is, which rooms it may use and which libraries' headers it may include.
Checked are:

1. a room uses no room of a higher floor, and no rooms use each other in a circle;
2. `ktrdr_room(... USES ...)` in cpp/<room>/CMakeLists.txt lists exactly what the table allows;
3. every `#include <ktrdr/<room>/...>` stays within the list;
4. every other include is the standard library's, or a library's that the room may see;
5. no room reads the environment: it is read once, outside, and handed in;
6. a source without a header of its name says in its first line what it is for;
7. JSON is read in one place, which gives the nearest doubles (`ktrdr/base/json.hpp`): nobody else calls Boost's parsers;
8. a period's end is known in one place (`BarGrid`): nobody else asks how long a timeframe is, rounds a time to a day, or adds
   a length to a stamp.

The second table says the same of the packages and single files of python/ktrdr_core. Every package may use the modules
that the rooms are built into. Checked are all imports, those inside functions and those for type checkers too.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator
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
    r"|(unistd|fcntl|stdio|pthread|poll|signal|dlfcn|netdb|time|errno|sched|stdlib|cxxabi|immintrin)\.h"
)
# Boost's ways to read JSON, by header and by name; those of base/src/json.cpp are ours.
JSON_READERS = re.compile(
    r"boost/json/(?:basic_parser|stream_parser|parser|parse|parse_into)(?:_impl)?\.hpp|boost/json\.hpp"
    r"|\bjson\s*::\s*(?:parse|parse_into|parser|parser_for|stream_parser|basic_parser)\b"
)
JSON_HOME = "json.cpp"
# What a length is added to a stamp by, and what rounds one. Who may, beside the room that makes periods: the reader of
# names and times, the steps that stamps of own bars keep, the years of chunks, how much is asked of IB at once, and dates as
# Python has them.
PERIODS = re.compile(
    r"\bTimeframe\s*::\s*Unit\b|\bUnit\s*::\s*(?:minute|hour|day|week|month)\b|(?:\.|->)unit\(\)"
    r"|\b(?:floor|ceil|round)\s*<\s*(?:std::chrono::)?(?:days|weeks|months|years)\s*>|\b(?:weeks|months)\s*[({]"
)
PERIOD_HOMES = {
    ("market", "timeframe.cpp"),
    ("market", "time_text.cpp"),
    ("market", "bar_check.cpp"),
    ("bindings", "bind_market.cpp"),
    ("bar_store", "chunk.cpp"),
    ("data", "ib_data_adapter.cpp"),
}
# What a length is taken from that somebody could add to a stamp, and an addition of whole days or hours to one.
LENGTHS = re.compile(
    r"(?:\.|->)shortest\(\)"
    r"|(?:\bstamp|\bstart_of\([^()]*\))\s*\+=?\s*(?:std::chrono::)?(?:days|hours|minutes)\{"
)
# Who compares lengths, and adds them to no stamp: with distances of bars, with spans of requests, with each other; and who
# counts what would follow without a break where there is no calendar (`gaps.cpp`).
LENGTH_HOMES = {
    ("bar_store", "chunk.cpp"),
    ("bar_store", "verify.cpp"),
    ("data", "data_manager_stored.cpp"),
    ("data", "request_pace.cpp"),
    ("data", "request_planner.cpp"),
    ("data", "resample_bars.cpp"),
    ("features", "holes.cpp"),
    ("market", "bar_check.cpp"),
    ("quality", "check_jumps.cpp"),
    ("quality", "check_places.cpp"),
    ("quality", "gaps.cpp"),
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?P<how>[<"])(?P<what>[^>"]+)[>"]')
ROW = re.compile(
    r"^\|\s*(?P<floor>\d+)\s*\|\s*`(?P<room>[\w.]+)`\s*\|[^|]*\|(?P<uses>[^|]*)\|(?P<libraries>[^|]*)\|\s*$"
)
CMAKE_ROOM = re.compile(r"ktrdr_\w*room\(\s*(?P<name>\w+)(?P<rest>[^)]*)\)")
CMAKE_LINK = re.compile(r"(?:target_link_libraries|foreach)\(([^)]*)\)")
SOURCES = (".hpp", ".cpp", ".h", ".cc")
# What the rooms are built into: modules of the package without a row of their own.
BUILT = {"_core", "_torch", "_torch_release"}
# What a package's own face is called in the table: python/ktrdr_core/__init__.py.
FACE = "ktrdr_core"


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


def read_table(path: Path, what: str = "room") -> dict[str, Room]:
    """Return the rows below the header ``| floor | <what> |``, in their order; `all` stands for every lower floor."""
    rows = []
    reading = False
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("| floor |"):
            reading = line.split("|")[2].strip() == what
        elif reading and (match := ROW.match(line)):
            rows.append(match)
    floors = {row["room"]: int(row["floor"]) for row in rows}
    rooms = {}
    for row in rows:
        name = row["room"]
        uses = set(re.findall(r"[\w.]+", row["uses"]))
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


def check_table(
    rooms: dict[str, Room], folders: set[str], place: str, table: Path, findings: Findings
) -> None:
    """Check that table and folders name the same rooms and that nothing is used upwards or in a circle."""
    for name in sorted(folders - rooms.keys()):
        findings.add(table, f"room '{name}' has a folder in {place} and no row in the table")
    for name in sorted(rooms.keys() - folders):
        findings.add(table, f"room '{name}' has a row in the table and no folder in {place}")
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


def check_libraries(rooms: dict[str, Room], table: Path, findings: Findings) -> None:
    """Check that the table names only libraries whose headers are known here."""
    for room in rooms.values():
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
    """Check every include of a room, that it leaves the environment alone, and that its files say what they are for."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in SOURCES)
    headers = {path.stem for path in paths if path.suffix in (".hpp", ".h")}
    for path in paths:
        lines = path.read_text(encoding="utf-8").splitlines()
        if path.stem not in headers and not "".join(lines[:1]).startswith("//"):
            findings.add(
                f"{path}:1",
                "has no header of its name; say in the first line what it is for: // ...",
            )
        for number, line in enumerate(lines, start=1):
            if include := INCLUDE.match(line):
                message = check_include(room, include["what"], include["how"] == '"')
                if message is not None:
                    findings.add(f"{path}:{number}", message)
            elif re.search(r"\b(secure_)?getenv\s*\(", line) and not line.lstrip().startswith("//"):
                findings.add(
                    f"{path}:{number}",
                    "reads the environment; take it from the Env that is handed in",
                )
            if reads_json(line) and (room.name, path.name) != ("base", JSON_HOME):
                findings.add(
                    f"{path}:{number}",
                    "reads JSON by itself; call parse_json of <ktrdr/base/json.hpp>, whose doubles are exact",
                )
            if makes_periods(line) and not at_home_with_periods(room.name, path.name):
                findings.add(
                    f"{path}:{number}",
                    "makes periods by itself; ask BarGrid of <ktrdr/calendar/bar_grid.hpp> when a bar ends",
                )
            if adds_length(line) and not at_home_with_lengths(room.name, path.name):
                findings.add(
                    f"{path}:{number}",
                    "may add a length to a stamp; ask BarGrid of <ktrdr/calendar/bar_grid.hpp> when a bar ends or which follows",
                )


def reads_json(line: str) -> bool:
    """Say whether a line of C++ includes or names one of Boost's parsers."""
    return not line.lstrip().startswith("//") and JSON_READERS.search(line) is not None


def makes_periods(line: str) -> bool:
    """Say whether a line of C++ asks for a timeframe's length, or rounds a time to days or more."""
    return not line.lstrip().startswith("//") and PERIODS.search(line) is not None


def at_home_with_periods(room: str, file: str) -> bool:
    """Say whether a file may."""
    return room == "calendar" or (room, file) in PERIOD_HOMES


def adds_length(line: str) -> bool:
    """Say whether a line of C++ asks how long bars are, or adds days, hours or minutes to a stamp."""
    return not line.lstrip().startswith("//") and LENGTHS.search(line) is not None


def at_home_with_lengths(room: str, file: str) -> bool:
    """Say whether a file may."""
    return (
        at_home_with_periods(room, file)
        or (room, file) in LENGTH_HOMES
        or (room, file) == ("market", "timeframe.hpp")
    )


def imports_of(tree: ast.AST, package: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Give line and dotted name of what a module of ``package`` imports, wherever in it, and by whatever means."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = node.module.split(".") if node.module else []
            for alias in node.names:
                # Of `from . import name` the name is the module.
                yield node.lineno, base + module if module else [*base, alias.name]
        elif isinstance(node, ast.expr) and (text := looked_up(node)) is not None:
            yield node.lineno, [*package, text[1:]] if text.startswith(".") else text.split(".")


def looked_up(node: ast.expr) -> str | None:
    """Give the name of a module that is imported by a string, or looked up in sys.modules; None for anything else."""
    match node:
        case (
            ast.Call(
                func=ast.Name("import_module" | "__import__"), args=[ast.Constant(str(name)), *_]
            )
            | ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(str(name)), *_])
            | ast.Call(
                func=ast.Attribute(value=ast.Attribute(attr="modules")),
                args=[ast.Constant(str(name)), *_],
            )
            | ast.Subscript(value=ast.Attribute(attr="modules"), slice=ast.Constant(str(name)))
        ):
            return name
    return None


def package_of(name: list[str], packages: dict[str, Room]) -> str:
    """Give the row that a module of ours belongs to: the longest that its name begins with, else its first part."""
    parts = name[1:]
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in packages:
            return ".".join(parts[:length])
    return parts[0] if parts else FACE


def check_import(package: Room, name: list[str], packages: dict[str, Room]) -> str | None:
    """Return what is wrong with one import of a package, None where nothing is."""
    library = name[0]
    if library != FACE:
        if library in sys.stdlib_module_names | package.libraries:
            return None
        return f"'{package.name}' imports {library}; the table does not let it see that"
    other = package_of(name, packages)
    if other in {package.name, *BUILT} | package.uses:
        return None
    return f"'{package.name}' imports {'.'.join(name)}; the table does not let it use '{other}'"


def check_packages(root: Path, table: Path, findings: Findings) -> None:
    """Check the packages below python/ktrdr_core against their table."""
    packages = read_table(table, "package")
    folder = root / "python" / FACE
    names = {
        path: [FACE, *path.relative_to(folder).with_suffix("").parts]
        for path in sorted(folder.rglob("*.py"))
    }
    homes = {path: package_of(name, packages) for path, name in names.items()}
    homes = {path: FACE if home == "__init__" else home for path, home in homes.items()}
    check_table(packages, set(homes.values()), f"python/{FACE}/", table, findings)
    for path, home in homes.items():
        if home not in packages:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for line, name in imports_of(tree, names[path][:-1]):
            message = check_import(packages[home], name, packages)
            if message is not None:
                findings.add(f"{path}:{line}", message)


def check(root: Path) -> list[str]:
    """Return everything in which tables, CMake lists and sources of a working tree disagree."""
    findings = Findings()
    table, cpp = root / "docs" / "architecture.md", root / "cpp"
    rooms = read_table(table)
    if not rooms:
        findings.add(
            table, "no floor plan found: rows are | floor | `room` | what | may use | libraries |"
        )
    folders = {path.name for path in cpp.iterdir() if path.is_dir()}
    check_table(rooms, folders, "cpp/", table, findings)
    check_libraries(rooms, table, findings)
    check_cmake(rooms, cpp, findings)
    for room in rooms.values():
        if room.name in folders:
            check_sources(room, cpp / room.name, findings)
    check_packages(root, table, findings)
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
