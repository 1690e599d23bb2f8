"""Print the lowest versions that pyproject.toml promises to work with, as `name==version`, one a line.

    tools/lowest.py [extra]...

Of the package's own requirements and of the extras named; a requirement without a lower bound, or of one version, stays as
it is.
"""

import sys
import tomllib

from packaging.requirements import Requirement

import requirements

LOWEST = (">=", "==", "~=")


def lowest(line: str) -> str:
    """Return the requirement of the lowest version that this one allows."""
    requirement = Requirement(line)
    bounds = [one for one in requirement.specifier if one.operator in LOWEST]
    if len(bounds) != 1 or not all(
        one.operator in (*LOWEST, "<", "!=") for one in requirement.specifier
    ):
        raise ValueError(f"{line}: a lower bound is written name>=version")
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    marker = f"; {requirement.marker}" if requirement.marker else ""
    return f"{requirement.name}{extras}=={bounds[0].version}{marker}"


def promised(*extras: str) -> list[str]:
    """Return the lowest versions of the package's requirements and of these extras."""
    project = tomllib.loads(requirements.PYPROJECT.read_text(encoding="utf-8"))["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += requirements.requirements_of(project, extra)
    return [lowest(line) for line in dict.fromkeys(lines)]


if __name__ == "__main__":
    print("\n".join(promised(*sys.argv[1:])))
