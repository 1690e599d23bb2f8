"""Print how much of each room its tests run, as Markdown, and fail where too few branches are and nobody says why.

Reads what gcovr and coverage.py counted (``tools/test.sh coverage``) and the reasons of ``tools/coverage.toml``.
"""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Per cent of the branches.
FLOOR = 90.0
#: A reason is not needed any more so far above it: threads that meet by chance move the figure from run to run.
MARGIN = 2.0


@dataclass
class Count:
    """Lines and branches: how many there are, how many were run."""

    lines: int = 0
    lines_run: int = 0
    branches: int = 0
    branches_run: int = 0

    def add(self, other: Count) -> None:
        """Count another file's too."""
        self.lines += other.lines
        self.lines_run += other.lines_run
        self.branches += other.branches
        self.branches_run += other.branches_run

    def row(self, name: str, why: str) -> str:
        """Make a row of the table."""
        lines, branches = _percent(self.lines_run, self.lines), self.share
        return f"| {name} | {lines:.1f} | {branches:.1f} | {why} |"

    @property
    def share(self) -> float:
        """Per cent of the branches that were run."""
        return _percent(self.branches_run, self.branches)


def _percent(run: int, there: int) -> float:
    return 100.0 * run / there if there else 100.0


def cpp_files(report: Path) -> dict[str, Count]:
    """Read gcovr's ``--json-summary``."""
    found = json.loads(report.read_text(encoding="utf-8"))["files"]
    return {
        file["filename"]: Count(
            file["line_total"], file["line_covered"], file["branch_total"], file["branch_covered"]
        )
        for file in found
    }


def python_files(report: Path) -> dict[str, Count]:
    """Read ``coverage json``."""
    found = json.loads(report.read_text(encoding="utf-8"))["files"]
    return {
        name: Count(
            file["summary"]["num_statements"],
            file["summary"]["covered_lines"],
            file["summary"]["num_branches"],
            file["summary"]["covered_branches"],
        )
        for name, file in found.items()
    }


def room_of(file: str) -> str:
    """``cpp/<room>``, or ``python/<package>``; modules that lie beside the packages are ``python``."""
    parts = Path(file).parts
    if parts[0] == "cpp":
        return f"cpp/{parts[1]}"
    return f"python/{parts[2]}" if len(parts) > 3 else "python"


def by_room(files: dict[str, Count]) -> dict[str, Count]:
    """Add the files of each room together."""
    rooms: dict[str, Count] = {}
    for name, count in files.items():
        rooms.setdefault(room_of(name), Count()).add(count)
    return dict(sorted(rooms.items()))


def complaints(counts: dict[str, Count], held: set[str], reasons: dict[str, str]) -> list[str]:
    """Say what is below the floor without a reason, and which reasons nothing needs."""
    found = [f"{name} is in tools/coverage.toml and was not counted" for name in held - set(counts)]
    found += [
        f"{name}: {counts[name].share:.1f} % of its branches are run, {FLOOR:.0f} are wanted: test them, or say why not "
        "under [reasons] in tools/coverage.toml"
        for name in held & set(counts)
        if counts[name].share < FLOOR and name not in reasons
    ]
    found += [
        f"{name}: {counts[name].share:.1f} % of its branches are run: its reason in tools/coverage.toml can go"
        for name in reasons
        if name in counts and counts[name].share >= FLOOR + MARGIN
    ]
    found += [
        f"{name} has a reason in tools/coverage.toml and was not counted"
        for name in reasons
        if name not in counts and name not in held
    ]
    return sorted(found)


def main(cpp: Path, python: Path) -> int:
    """Print the two tables; 1 where something is to be done."""
    wanted = tomllib.loads((ROOT / "tools/coverage.toml").read_text(encoding="utf-8"))
    reasons: dict[str, str] = wanted["reasons"]
    files = {**cpp_files(cpp), **python_files(python)}
    rooms = by_room(files)
    print("| room | lines % | branches % | why below 90 |\n|---|---:|---:|---|")
    for name, count in rooms.items():
        print(count.row(name, reasons.get(name, "")))
    print("\n| what decides | lines % | branches % | why below 90 |\n|---|---:|---:|---|")
    for name in wanted["decides"]:
        if name in files:
            print(files[name].row(name, reasons.get(name, "")))
    found = complaints({**files, **rooms}, {*rooms, *wanted["decides"]}, reasons)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
