"""Write the linker's list of what libktrdr.so shows: what the modules' object files ask for, and data that is one with theirs."""

import argparse
import subprocess  # nosec B404 - runs the nm that CMake found
from pathlib import Path

# Of nm: undefined, weakly or not; weak objects, such as type information; unique objects, which a process has once.
SHARED = {"U", "w", "v", "V", "u"}


def asked_for(nm: str, objects: list[str]) -> set[str]:
    """Return the names that these object files take from others or have in common with them."""
    command = [nm, "--format=posix", *objects]
    said = subprocess.run(command, check=True, capture_output=True, text=True)  # nosec B603
    rows = (line.split() for line in said.stdout.splitlines())
    return {row[0] for row in rows if len(row) > 1 and row[1] in SHARED}


def main() -> None:
    """Write a version script from the object files that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nm", required=True)
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("objects", nargs="+")
    given = parser.parse_args()
    names = "".join(f"    {name};\n" for name in sorted(asked_for(given.nm, given.objects)))
    text = f"{{\n  global:\n{names}  local:\n    *;\n}};\n"
    # An unchanged list links nothing anew.
    if not given.output.exists() or given.output.read_text(encoding="utf-8") != text:
        given.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
