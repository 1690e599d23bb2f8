"""What docs/hacking.md says one has to touch for a small thing is where such a thing stands in the tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ktrdr_core import _core

ROOT = Path(__file__).parents[2]
#: What for, one that is there, the places.
ROW = re.compile(r"^\| (an? [a-z ]+) \| `(\w+)` \| (.+) \|$", re.MULTILINE)
ROWS = {
    what: (word, places)
    for what, word, places in ROW.findall((ROOT / "docs/hacking.md").read_text())
}
#: How the one to go by is written where it is handed on, the folders in which that is looked for, and besides the places
#: those files that act upon it, or only speak of it.
HANDED_ON: dict[str, tuple[str, tuple[str, ...], str]] = {
    "a parameter of a load": (
        r"\brefresh\b *[:=>\"]",
        ("cpp/data", "cpp/bindings", "python/ktrdr_core/data"),
        r"cpp/data/src/\w+\.cpp",
    ),
    "a field of a request": (
        r"\bidempotency_key\b",
        ("cpp/http", "python/ktrdr_core/http"),
        r"cpp/http/src/\w+\.cpp",
    ),
    "a kind of event": (
        r"\bmetric, warning\b",
        ("cpp", "python/ktrdr_core"),
        "",
    ),
    "a metric of a training": (
        r"\bval_accuracy\b",
        ("cpp", "python/ktrdr_core/training"),
        r"python/ktrdr_core/training/(html_)?report\.py",
    ),
    "an indicator": (
        r"\brsi\b",
        ("cpp", "python/ktrdr_core/features"),
        r"python/ktrdr_core/features/matrix\.py",
    ),
}
SOURCES = {".cpp", ".hpp", ".py", ".pyi"}


def places_of(what: str) -> set[str]:
    return set(re.findall(r"`((?:cpp|python)/[\w/.]+\.\w+)`", ROWS[what][1]))


def test_the_five_that_come_again_and_again_are_there() -> None:
    assert set(ROWS) == {
        "a parameter of a load",
        "a field of a request",
        "a kind of event",
        "a metric of a training",
        "an indicator",
    }


@pytest.mark.parametrize("what", ROWS)
def test_each_place_has_the_one_to_go_by(what: str) -> None:
    word, places = ROWS[what][0], places_of(what)
    assert len(places) >= 2
    for place in places:
        assert re.search(rf"\b{word}\b", (ROOT / place).read_text()), f"{place}: no {word}"


@pytest.mark.parametrize("what", ROWS)
def test_no_place_that_hands_it_on_is_left_out(what: str) -> None:
    written, folders, acting = HANDED_ON[what]
    word = re.compile(written)
    files = [one for folder in folders for one in (ROOT / folder).rglob("*")]
    sources = [one for one in files if one.suffix in SOURCES and one.is_file()]
    found = {str(one.relative_to(ROOT)) for one in sources if word.search(one.read_text())}
    assert found
    acts = {one for one in found if re.fullmatch(acting, one)}
    assert found - acts <= places_of(what)


@pytest.mark.parametrize("request_class", [_core.LoadRequest, _core.TrainingRequest])
def test_a_wrong_member_is_refused_by_its_name(request_class: type) -> None:
    with pytest.raises(TypeError, match="has no field refersh; it has "):
        request_class(refersh=True)
    with pytest.raises(TypeError, match="operation_id cannot be 5"):
        request_class(operation_id=5)
