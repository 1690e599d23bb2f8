"""What `make coverage` complains of."""

from __future__ import annotations

from coverage_table import Count, by_room, complaints

GOOD = Count(lines=10, lines_run=10, branches=100, branches_run=92)
ENOUGH = Count(lines=10, lines_run=10, branches=100, branches_run=90)
POOR = Count(lines=10, lines_run=10, branches=100, branches_run=89)


def test_files_are_added_up_by_room() -> None:
    rooms = by_room(
        {
            "cpp/data/src/planner.cpp": GOOD,
            "cpp/data/include/ktrdr/data/planner.hpp": POOR,
            "python/ktrdr_core/http/client.py": GOOD,
            "python/ktrdr_core/bars.py": GOOD,
        }
    )
    assert list(rooms) == ["cpp/data", "python", "python/http"]
    assert rooms["cpp/data"] == Count(20, 20, 200, 181)


def test_what_is_below_the_floor_needs_a_reason() -> None:
    assert complaints({"a": GOOD, "b": POOR}, {"a", "b"}, {"b": "no cable here"}) == []
    (told,) = complaints({"a": GOOD, "b": POOR}, {"a", "b"}, {})
    assert told.startswith("b: 89.0 % of its branches")


def test_a_reason_that_nothing_needs_is_told() -> None:
    (told,) = complaints({"a": GOOD}, {"a"}, {"a": "it was hard"})
    assert "can go" in told
    assert complaints({"a": ENOUGH}, {"a"}, {"a": "threads"}) == complaints(
        {"a": ENOUGH}, {"a"}, {}
    )


def test_a_file_that_moved_is_told() -> None:
    assert len(complaints({}, {"old"}, {})) == 1
    assert len(complaints({}, set(), {"old": "why"})) == 1


def test_what_has_no_branches_has_none_that_are_not_run() -> None:
    assert Count().share == 100.0
