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
#: Besides the places, where a parameter of a load or a field of a request is acted upon and not handed on.
ACTING = {"cpp/data/src", "cpp/http/src"}


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


def test_no_place_that_hands_a_parameter_of_a_load_on_is_left_out() -> None:
    word = re.compile(r"\brefresh\b *[:=>\"]")
    folders = ("cpp/data", "cpp/bindings", "python/ktrdr_core/data")
    files = [one for folder in folders for one in (ROOT / folder).rglob("*") if one.is_file()]
    found = {str(one.relative_to(ROOT)) for one in files if word.search(one.read_text())}
    acting = {one for one in found if one.rpartition("/")[0] in ACTING}
    assert found - acting <= places_of("a parameter of a load")


@pytest.mark.parametrize("request_class", [_core.LoadRequest, _core.TrainingRequest])
def test_a_wrong_member_is_refused_by_its_name(request_class: type) -> None:
    with pytest.raises(TypeError, match="has no field refersh; it has "):
        request_class(refersh=True)
    with pytest.raises(TypeError, match="operation_id cannot be 5"):
        request_class(operation_id=5)
