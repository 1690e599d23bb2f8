"""Strategy files as YAML 1.2, and what is no strategy file at all."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ktrdr_core.errors import StrategyError
from ktrdr_core.strategies import load, validate
from ktrdr_core.strategies.document import DocumentError, read_document
from test_strategies import SMALL

if TYPE_CHECKING:
    import pathlib


def read(text: str) -> Any:
    return read_document(text).data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("014", 14),
        ("0o14", 12),
        ("0x1F", 31),
        ("+7", 7),
        ("1:30", "1:30"),
        ("1:30:00", "1:30:00"),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("NO", "NO"),
        ("y", "y"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("1e-5", 1e-5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("'14'", "14"),
        ("!!str 14", "14"),
        ('"on"', "on"),
        ("=", "="),
    ],
)
def test_scalars_are_what_yaml_1_2_says(text: str, value: object) -> None:
    found = read(f"key: {text}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_the_traps_of_yaml_1_1_are_numbers_or_errors(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL.replace("period: 14", "period: 014"), encoding="utf-8")
    assert load(file).to_json()["indicators"][0]["params"] == {"period": 14}
    for old, new, told in (
        ("epochs: 3", "epochs: 1:30", "must be a whole number .*'1:30'"),
        ("epochs: 3", "epochs: 1_000", "must be a whole number .*'1_000'"),
        ("epochs: 3", "epochs: .nan", "must be a whole number"),
        ("epochs: 3", "epochs: .inf", "must be a whole number"),
        ("epochs: 3", "epochs: 2024-01-01", "must be a whole number"),
        ("[0, 0, 50]", "[0, .nan, 50]", "a number that is finite is needed"),
        ("[0, 0, 50]", "[0, 0, .inf]", "a number that is finite is needed"),
        ("period: 14", "period: .inf", "a number that is finite is needed"),
        ("period: 14", "period: 1:30", "a number is needed"),
        ("training:\n    ", "features: {include_price_context: on}\n  training:\n    ", "'on'"),
        ("symbol: AAPL", "symbol: null", "exactly one of"),
        ("symbol: AAPL", "symbol: TRUE", "a text is needed .*in quotes"),
    ):
        assert old in SMALL
        file.write_text(SMALL.replace(old, new), encoding="utf-8")
        with pytest.raises(StrategyError, match=told) as caught:
            load(file)
        assert caught.value.context["line"] >= 3
        assert caught.value.context["column"] >= 1
        assert caught.value.context["path"]


def test_symbols_that_yaml_1_1_takes_for_flags_are_symbols(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "small.yaml"
    text = SMALL.replace("mode: single, symbol: AAPL", "list: [ON, NO, Y]")
    file.write_text(text, encoding="utf-8")
    assert load(file).training_data.symbols.names == ("ON", "NO", "Y")


BROKEN = [
    ("a template", "symbol: {{ SYMBOL }}", 1, 10, "symbol", "is a template"),
    ("a template in a list", "a:\n  - b: {{ X }}", 2, 9, "a[0].b", "is a template"),
    ("a block of a template", "a: 1\n{% for x %}", 2, 2, "", "templates"),
    ("a tab", "a:\n\tb: 1", 2, 1, "", "a tab; indent with spaces"),
    ("a control character", "a: 1\nb: \x01", 2, 4, "", "'\\\\x01' is not allowed"),
    ("a second document", "a: 1\n---\nb: 2", 2, 1, "", "a second document"),
    ("YAML 1.1", "%YAML 1.1\n---\na: on", 2, 1, "", "says it is YAML 1.1"),
    ("a key twice", "b:\n  - c: 1\n    c: 2", 3, 5, "b[0].c", "is there twice"),
    ("a key twice in brackets", "a: {b: 1, b: 2}", 1, 11, "a.b", "is there twice"),
    ("a list as a key", "? [a]\n: 1", 1, 3, "", "a key is a text"),
    ("a merge key", "a: {<<: {b: 1}}", 1, 5, "a", "merge keys"),
    ("an alias of nothing", "a: *b", 1, 4, "", "nothing above is marked &b"),
    ("an alias within itself", "a: &x {b: *x}", 1, 11, "", "stands within"),
    ("a tag", "a: !!python/object:os.system x", 1, 4, "", "has the tag"),
    ("a tag of a mapping", "a: !mine {}", 1, 4, "", "has the tag !mine"),
    ("an open bracket", "a: [1\nb: 2", 2, 2, "", "is not YAML"),
    ("an open quote", "a: 'b", 1, 6, "", "is not YAML"),
    ("two values", "a: b: c", 1, 5, "", "is not YAML"),
    ("an endless number", "a: " + "9" * 5000, 1, 4, "", "of 5000 digits"),
    ("many brackets", "a: " + "[" * 2000, 1, 34, "", "nested too deep"),
    ("many brackets that close", "a: " + "[" * 2000 + "]" * 2000, 1, 34, "", "nested too deep"),
    ("many braces", "a: " + "{b: " * 2000, 1, None, "", "nested too deep"),
    ("many lists", "- " * 2000 + "a", 1, 61, "", "nested too deep"),
    ("a list at the top", "- a\n- b", 1, 1, "", "a mapping of keys to values"),
    ("a text at the top", "just words", 1, 1, "", "a mapping of keys to values"),
    ("three dashes", "---", 1, 4, "", "a mapping of keys to values"),
]


@pytest.mark.parametrize(("text", "line", "column", "path", "told"), [one[1:] for one in BROKEN])
def test_what_is_no_strategy_is_told_with_its_place_and_at_once(
    tmp_path: pathlib.Path, text: str, line: int, column: int | None, path: str, told: str
) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(text, encoding="utf-8")
    began = time.process_time()
    with pytest.raises(StrategyError, match=told) as caught:
        load(file)
    assert time.process_time() - began < 30
    context = caught.value.context
    assert (context["line"], context["path"]) == (line, path)
    assert column is None or context["column"] == column
    assert str(caught.value).startswith(f"{file}:{line}:")


@pytest.mark.parametrize("text", ["", "\n\n", "# a remark\n", "\ufeff"])
def test_an_empty_file_is_told(tmp_path: pathlib.Path, text: str) -> None:
    file = tmp_path / "empty.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StrategyError, match="this is empty"):
        load(file)


@pytest.mark.parametrize(
    ("content", "line", "told"),
    [
        (b"name: a\nscope: caf\xe9", 2, "is not UTF-8 text: the byte 0xe9"),
        ("name: a".encode("utf-16"), None, "is UTF-16 text; save it as UTF-8"),
        ("name: a".encode("utf-16-be"), 1, "is not allowed"),
        (b"a: " + b"x" * 10_000_000, None, "larger than"),
        (b"[" * 10_000_000, None, "larger than"),
        (bytes(range(256)), 1, "UTF-8"),
    ],
)
def test_bytes_that_are_no_text_are_told(
    tmp_path: pathlib.Path, content: bytes, line: int | None, told: str
) -> None:
    file = tmp_path / "other.yaml"
    file.write_bytes(content)
    with pytest.raises(StrategyError, match=told) as caught:
        load(file)
    assert line is None or caught.value.context["line"] >= line


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_they_do_anywhere(tmp_path: pathlib.Path, ending: str) -> None:
    file = tmp_path / "small.yaml"
    text = "\ufeff" + SMALL.replace("epochs: 3", "epoch: 3")
    file.write_bytes(text.replace("\n", ending).encode())
    (found,) = validate(file)
    assert (found.line, found.column, found.suggestion) == (17, 5, "epochs")


def test_anchors_stand_for_what_they_mark(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "small.yaml"
    text = SMALL.replace("low: {type", "low: &low {type").replace("up: {", "up: *low\n    down: {")
    file.write_text(text, encoding="utf-8")
    sets = load(file).fuzzy_sets
    assert sets["macd.histogram"]["up"] == sets["rsi_14"]["low"]


def test_keys_are_texts_whatever_they_look_like(tmp_path: pathlib.Path) -> None:
    assert read("1: a\n0.5: b\non: c\nnull: d\n2024-01-01: e\n") == {
        "1": "a",
        "0.5": "b",
        "on": "c",
        "null": "d",
        "2024-01-01": "e",
    }
    file = tmp_path / "small.yaml"
    file.write_text(SMALL.replace("    low: {", "    10: {"), encoding="utf-8")
    assert list(load(file).fuzzy_sets["rsi_14"]) == ["10"]
    file.write_text("12: 3\n" + SMALL, encoding="utf-8")
    assert str(validate(file)[0]).startswith(f"{file}:1:1: 12: there is no key '12'")


def test_a_bomb_of_aliases_is_told_and_costs_nothing(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "bomb.yaml"
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 15))
    file.write_text("l0: &l0 [1]\n" + levels, encoding="utf-8")
    with pytest.raises(StrategyError, match="repeats too much") as caught:
        load(file)
    assert caught.value.context["line"] is not None


def test_as_large_a_file_as_is_read_is_told_of_in_seconds(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "large.yaml"
    for line in ("a{}: {{b: [1, 2]}}\n", "# {}\n", "\n", "- [{}]\n", "a{}: 'x\n"):
        text = ""
        for number in range(100_000):
            text += line.format(number)
            if len(text) > 99_000:
                break
        file.write_text(text[:99_000], encoding="utf-8")
        began = time.process_time()
        assert validate(file)
        assert time.process_time() - began < 60


@settings(max_examples=300, deadline=None)
@given(some.text(alphabet="ab:-?[]{}&*!|>'\"%@`#,\n\t\r \\<~0.é\u2028\x85\x00", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    # Nothing else is raised, whatever the scanner stumbles over.
    with contextlib.suppress(DocumentError):
        document = read_document(text)
        assert () in document.places
