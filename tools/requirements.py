"""Print what a working tree of a level needs: build requirements and extras, one requirement a line."""

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
SELF = re.compile(r"ktrdr-core\[(?P<extras>[^]]*)\]")


def requirements_of(project: dict[str, object], name: str) -> list[str]:
    """Return the requirements of an extra, those it borrows from other extras included."""
    extras = project["optional-dependencies"]
    if not isinstance(extras, dict):
        raise TypeError("project.optional-dependencies is no table")
    found: list[str] = []
    for requirement in extras[name]:
        if borrowed := SELF.fullmatch(requirement):
            for other in borrowed["extras"].split(","):
                found += requirements_of(project, other.strip())
        else:
            found.append(requirement)
    return found


def requirements(level: str) -> list[str]:
    """Return everything to install for `demo` or `dev`, without repeats."""
    pyproject = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    project = pyproject["project"]
    found = [
        *pyproject["build-system"]["requires"],
        *project["dependencies"],
        *requirements_of(project, "train"),
        *requirements_of(project, level),
    ]
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1])))
