"""tools/lowest.py: what the lowest versions are that pyproject.toml promises."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import dependencies
import lowest


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("numpy>=1.26", "numpy==1.26"),
        ("torch==2.13.0", "torch==2.13.0"),
        ("rich>=13,<15", "rich==13"),
        ("a[x,b]>=1; python_version < '3.12'", 'a[b,x]==1; python_version < "3.12"'),
    ],
)
def test_the_lower_bound_is_the_lowest_version(line: str, expected: str) -> None:
    assert lowest.lowest(line) == expected


@pytest.mark.parametrize("line", ["numpy", "numpy<3", "numpy>1", "numpy>=1,>=2"])
def test_a_requirement_without_a_lower_bound_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="name>=version"):
        lowest.lowest(line)


def test_every_requirement_of_a_user_has_a_lower_bound_that_ours_meets() -> None:
    locked = dependencies.read_lock(dependencies.LOCK.read_text(encoding="utf-8"))
    found = lowest.promised("train", "fastapi", "notebook", "demo")
    assert len(found) >= 10
    for line in found:
        bound = Requirement(line)
        at_least = Requirement(f"{bound.name}>={next(iter(bound.specifier)).version}")
        assert at_least.specifier.contains(locked[canonicalize_name(bound.name)]), line
    assert {Requirement(line).name for line in found} >= {"numpy", "torch", "sse-starlette"}
