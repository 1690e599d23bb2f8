"""The harness of `make bench`: runs every entry and prints one Markdown table.

An entry is a module of this package with `run(quick: bool) -> list[dict]`: one dict a line, with
`case`, `value`, `unit`, and, where the line is held against another of the same run, `ratio` and
`against`. Further keys become further columns.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ENTRIES = (
    "core_costs",
    "operations",
    "store",
    "answers",
    "own_bars",
    "loads",
    "bytes_written",
    "watch_list",
    "gateway",
    "quality",
    "features",
    "command_line",
    "latencies",
    "worker",
    "streams",
    "readers",
    "http_asyncio",
    "http_calls",
    "training_step",
    "trainings",
    "indicators",
)
_VERSIONS = (
    *("ktrdr-core", "torch", "aiohttp", "httpx", "pyreqwest", "uvloop", "anyio", "tqdm"),
    *("pandas", "polars", "pyarrow", "duckdb", "ib_async", "ta-lib"),
)


def main(arguments: list[str] | None = None) -> int:
    """Run the entries asked for, all by default.

    Parameters
    ----------
    arguments
        As on the command line.

    Returns
    -------
    int
        1 when an entry failed, else 0.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("entries", nargs="*", metavar="entry", help=f"of {', '.join(ENTRIES)}")
    parser.add_argument("--quick", action="store_true", help="short rounds: does it run at all?")
    options = parser.parse_args(arguments)
    unknown = set(options.entries) - set(ENTRIES)
    if unknown:
        parser.error(f"no entry {', '.join(sorted(unknown))}; there are {', '.join(ENTRIES)}")
    lines: list[dict[str, Any]] = []
    failed = False
    for entry in options.entries or ENTRIES:
        print(f"{entry} …", file=sys.stderr, flush=True)
        try:
            # A process each: none is measured with what another has left behind.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                measured = process.submit(_run, entry, options.quick).result()
            lines += [{"entry": entry, **line} for line in measured]
        except Exception as error:  # noqa: BLE001 - the other entries still count
            failed = True
            print(f"{entry} failed: {error}", file=sys.stderr)
    print(machine())
    print()
    print(table(lines))
    return 1 if failed else 0


def _run(entry: str, quick: bool) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = importlib.import_module(f"benchmarks.{entry}").run(quick)
    return lines


def machine() -> str:
    """Say what the figures were measured on."""
    parts = [
        f"{_processor()}, {os.cpu_count()} cores",
        f"{platform.system()} {platform.release()}",
        f"Python {platform.python_version()}",
    ]
    for name in _VERSIONS:
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return " · ".join(parts)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def table(lines: list[dict[str, Any]]) -> str:
    """Write the lines as one Markdown table, a column for each key.

    Parameters
    ----------
    lines
        What the entries gave.
    """
    columns = list(dict.fromkeys(key for line in lines for key in line))
    rows = [columns, ["---"] * len(columns)]
    rows += [[_text(column, line.get(column)) for column in columns] for line in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _text(column: str, value: object) -> str:
    if value is None:
        return ""
    if column == "ratio" and isinstance(value, int | float):
        return f"{value:.2f}x"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value).replace("|", "\\|")


if __name__ == "__main__":
    # Also as `python benchmarks/run.py`, where only this folder is looked in.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    raise SystemExit(main())
