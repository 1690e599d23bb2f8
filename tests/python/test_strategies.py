"""Strategy files: what is read, and how what is wrong in one is told."""

from __future__ import annotations

import io
import json
import os
import pathlib
import socket
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from ktrdr_core import _core, strategies
from ktrdr_core.errors import StrategyError
from ktrdr_core.strategies import load_strategy

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples" / "strategies"

SMALL = """\
name: small
training_data:
  symbols: {mode: single, symbol: AAPL}
  timeframes: {mode: single, timeframe: 1d}
indicators:
  - name: rsi
    feature_id: rsi_14
    period: 14
  - {name: macd}
fuzzy_sets:
  rsi_14:
    low: {type: triangular, parameters: [0, 0, 50]}
  macd.histogram:
    up: {type: gaussian, parameters: [1, 0.5]}
model:
  training:
    epochs: 3
training:
  labels: {source: forward_return, threshold: 0.01, label_lookahead: 3}
"""


@pytest.fixture
def refuse(tmp_path: pathlib.Path) -> Callable[[str, str], StrategyError]:
    """Load `SMALL` with one text replaced and return the error it ends in."""

    def load(old: str, new: str) -> StrategyError:
        assert old in SMALL
        file = tmp_path / "small.yaml"
        file.write_text(SMALL.replace(old, new), encoding="utf-8")
        with pytest.raises(StrategyError) as caught:
            load_strategy(file)
        assert str(caught.value).startswith(str(file))
        return caught.value

    return load


def small(tmp_path: pathlib.Path) -> dict[str, Any]:
    """Load `SMALL` as JSON."""
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    return load_strategy(file).to_json()


def test_the_example_reads_as_json_of_plain_types() -> None:
    plain = load_strategy(EXAMPLES / "momentum_mlp.yaml").to_json()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["training_data"]["symbols"]["list"] == ["AAPL", "MSFT"]
    assert plain["model"]["architecture"]["hidden_layers"] == [50, 25]
    assert {item["name"] for item in plain["indicators"]} == {"rsi", "macd", "distance_from_ma"}


def test_the_example_is_the_vector_that_the_core_reads() -> None:
    vector = EXAMPLES.parents[1] / "tests" / "vectors" / "momentum_mlp.json"
    plain = load_strategy(EXAMPLES / "momentum_mlp.yaml").to_json()
    written = json.loads(vector.read_text(encoding="utf-8"))
    assert _core.read_strategy(written) == _core.read_strategy(plain)
    assert written["indicators"] == plain["indicators"]
    assert written["fuzzy_sets"] == plain["fuzzy_sets"]


def test_every_example_is_valid() -> None:
    for file in EXAMPLES.glob("*.yaml"):
        assert load_strategy(file).name == file.stem


def test_defaults_are_filled_in(tmp_path: pathlib.Path) -> None:
    plain = small(tmp_path)
    assert plain["model"]["training"]["learning_rate"] == 0.001
    assert plain["model"]["training"]["early_stopping"] is None
    split = {"train": 0.7, "validation": 0.15, "test": 0.15, "embargo": 0}
    assert plain["training"]["data_split"] == split


def test_the_shorthands_become_one_spelling(tmp_path: pathlib.Path) -> None:
    plain = small(tmp_path)
    assert plain["training_data"]["symbols"]["list"] == ["AAPL"]
    assert plain["training_data"]["timeframes"]["list"] == ["1d"]
    assert plain["training_data"]["timeframes"]["base_timeframe"] == "1d"
    assert plain["indicators"][0] == {
        "name": "rsi",
        "feature_id": "rsi_14",
        "source": "close",
        "params": {"period": 14},
    }
    assert plain["indicators"][1]["feature_id"] == "macd"


def test_indicators_are_found_in_any_spelling_of_their_name(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL.replace("name: rsi", "name: momentum\n    type: RSI"), encoding="utf-8")
    assert load_strategy(file).to_json()["indicators"][0]["name"] == "rsi"


def test_a_missing_file_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(StrategyError, match=r"nowhere\.yaml: there is no such strategy file"):
        load_strategy(tmp_path / "nowhere.yaml")
    (tmp_path / "momentum.yaml").write_text(SMALL, encoding="utf-8")
    with pytest.raises(StrategyError) as caught:
        load_strategy(tmp_path / "momentun.yaml")
    assert "did you mean 'momentum.yaml'?" in str(caught.value)
    assert f"`ktrdr-core strategies list {tmp_path}` lists those that are there" in str(
        caught.value
    )
    with pytest.raises(StrategyError, match="`ktrdr-core strategies list` lists"):
        load_strategy(tmp_path / "no" / "folder.yaml")


@pytest.mark.parametrize(
    "kind", ["folder", "fifo", "socket", "device", "endless device", "link", "nul"]
)
def test_only_a_plain_file_is_a_strategy(tmp_path: pathlib.Path, kind: str) -> None:
    file = tmp_path / "strategy.yaml"
    with socket.socket(socket.AF_UNIX) as listening:
        if kind == "folder":
            file.mkdir()
        elif kind == "fifo":
            os.mkfifo(file)
        elif kind == "socket":
            listening.bind(str(file))
        elif kind == "link":
            file.symlink_to("/dev/zero")
        else:
            names = {"device": "/dev/null", "endless device": "/dev/zero", "nul": "a\0b"}
            file = pathlib.Path(names[kind])
        with pytest.raises(StrategyError, match="cannot be read"):
            load_strategy(file)


def test_a_file_that_looks_plain_and_has_nothing_to_tell_yet_is_told(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `/proc/kmsg` answers where nobody may wait."""
    file = tmp_path / "strategy.yaml"
    file.write_text(SMALL, encoding="utf-8")

    class Silent(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return None  # type: ignore[return-value]

    monkeypatch.setattr(os, "fdopen", lambda *_, **__: Silent())
    with pytest.raises(StrategyError, match="cannot be read: it is no plain file"):
        load_strategy(file)


def test_no_more_of_a_file_is_read_than_a_strategy_may_have(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "huge.yaml"
    with file.open("wb") as huge:
        huge.truncate(1 << 40)
    with pytest.raises(StrategyError, match="larger than 100000 bytes"):
        load_strategy(file)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a: " + b"x" * 2_000_000, "larger than"),
        (b"name: caf\xe9", "is not UTF-8 text: the byte 0xe9"),
    ],
)
def test_what_cannot_be_a_strategy_file_is_told_before_it_is_parsed(
    tmp_path: pathlib.Path, content: bytes, told: str
) -> None:
    file = tmp_path / "other.yaml"
    file.write_bytes(content)
    with pytest.raises(StrategyError, match=told):
        load_strategy(file)


def test_an_unknown_key_has_line_path_and_suggestion(refuse: Any) -> None:
    error = refuse("    epochs: 3", "    epoch: 3")
    assert error.context["line"] == 17
    assert error.context["path"] == "model.training.epoch"
    assert error.context["suggestion"] == "epochs"
    assert str(error).endswith("there is no key 'epoch'; did you mean 'epochs'?")


@pytest.mark.parametrize(
    ("old", "new", "path", "told"),
    [
        ("name: rsi", "name: rsj", "indicators[0].name", "did you mean 'rsi'?"),
        ("    period: 14", "    perod: 14", "indicators[0].perod", "did you mean 'period'?"),
        (
            "    period: 14",
            "    period: 1",
            "indicators[0].period",
            "a whole number from 2 to 1000",
        ),
        ("    period: 14", "    period: 2.5", "indicators[0].period", "a whole number"),
        ("    period: 14", "    source: volume", "indicators[0].source", "'volume' must be one of"),
        ("{name: macd}", "{name: macd, fast_period: 30}", "indicators[1].fast_period", "less than"),
        ("{name: macd}", "{name: rsi, feature_id: rsi_14}", "indicators[1]", "two indicators"),
        ("  rsi_14:\n", "  rsi_41:\n", "fuzzy_sets.rsi_41", "did you mean 'rsi_14'?"),
        ("  macd.histogram:", "  macd.histo:", "fuzzy_sets.macd.histo", "'macd.histogram'?"),
        ("[0, 0, 50]", "[50, 0, 0]", "fuzzy_sets.rsi_14.low.parameters", "must not fall"),
        ("[0, 0, 50]", "[0, 50]", "fuzzy_sets.rsi_14.low.parameters", "takes 3 numbers"),
        ("[1, 0.5]", "[1, 0]", "fuzzy_sets.macd.histogram.up.parameters", "sigma above 0"),
        ("triangular", "triangle", "fuzzy_sets.rsi_14.low.type", "did you mean 'triangular'?"),
        ("epochs: 3", "epochs: 0", "model.training.epochs", "greater than or equal to 1"),
        ("epochs: 3", "epochs: true", "model.training.epochs", "not true or false"),
        ("forward_return", "zigzaq", "training.labels.source", "did you mean 'zigzag'?"),
        (
            "threshold: 0.01",
            "zigzag_threshold: 1",
            "training.labels.zigzag_threshold",
            "less than 1",
        ),
        ("epochs: 3", "lr_scheduler: {type: cosine}", "model.training.lr_scheduler.type", "one of"),
        ("symbol: AAPL", "symbol: AAPL, list: [A]", "training_data.symbols", "exactly one of"),
        ("timeframe: 1d", "timeframe: 1d, base_timeframe: 1h", "training_data.timeframes", "1h"),
        ("name: small", "name: ../small", "name", "pattern"),
        ("name: small\n", "", "name", "is missing"),
        ("low: {type:", "low: {typ: x, type:", "fuzzy_sets.rsi_14.low.typ", "did you mean 'type'?"),
        (
            "low: {type: triangular, parameters: [0, 0, 50]}",
            "{}",
            "fuzzy_sets.rsi_14",
            "at least one",
        ),
        (
            "  labels:",
            "  data_split: {train: 0.5, validation: 0.1, test: 0.1}\n  labels:",
            "training.data_split",
            "add up to 0.7",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_path(
    refuse: Any, old: str, new: str, path: str, told: str
) -> None:
    error = refuse(old, new)
    assert error.context["path"] == path
    assert told in str(error)


def test_an_indicator_that_nothing_uses_is_refused(refuse: Any) -> None:
    error = refuse("  - {name: macd}", "  - {name: macd}\n  - {name: distance_from_ma}")
    assert error.context == {
        "file": error.context["file"],
        "line": 10,
        "column": 5,
        "path": "indicators[2]",
        "suggestion": None,
    }


def test_a_key_that_is_there_twice_is_refused(refuse: Any) -> None:
    error = refuse("    epochs: 3", "    epochs: 3\n    epochs: 4")
    assert error.context["line"] == 18
    assert "is there twice" in str(error)


def test_text_that_is_no_yaml_has_its_line(refuse: Any) -> None:
    error = refuse("    epochs: 3", "    epochs: [3")
    assert "is not YAML" in str(error)
    assert error.context["line"] >= 17


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_a_file_without_a_mapping_is_refused(tmp_path: pathlib.Path, text: str) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StrategyError, match="a mapping of keys to values"):
        load_strategy(file)


def test_aliases_that_never_end_or_grow_are_refused(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("a: &a\n  b: *a\n", encoding="utf-8")
    with pytest.raises(StrategyError, match="stands within what it stands for"):
        load_strategy(file)
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 9))
    file.write_text("l0: &l0 [1]\n" + levels, encoding="utf-8")
    with pytest.raises(StrategyError, match="repeats too much"):
        load_strategy(file)


OPTIONS = _core.strategy_options()


def wrong_values(option: dict[str, Any]) -> list[Any]:
    """Values that an option refuses: of another type, outside the range, not among the choices."""
    wrong: list[Any] = [{}, "perhaps" if option["type"] == "flag" else True]
    as_list = option["type"] == "integers"
    for end, way in ((option["min"], -1), (option["max"], 1)):
        if end is not None:
            beyond = end if option["open"] else end + way
            wrong.append([beyond] if as_list else beyond)
    if option["choices"] and option["type"] == "text":
        wrong.append("swish")
    if option["pattern"]:
        wrong.append("../up")
    return wrong


def with_option(path: str, value: Any) -> str:
    """Write `SMALL` with one option said, whatever sections that needs."""
    data = YAML(typ="safe", pure=True).load(SMALL)
    *sections, key = path.split(".")
    section = data
    for name in sections:
        section = section.setdefault(name, {})
    section[key] = value
    return json.dumps(data)


@pytest.mark.parametrize("path", OPTIONS)
def test_an_option_out_of_range_is_refused_in_the_words_of_the_core(
    tmp_path: pathlib.Path, path: str
) -> None:
    file = tmp_path / "small.yaml"
    for value in wrong_values(OPTIONS[path]):
        words = _core.refuse_strategy_option(path, value)
        assert words is not None
        file.write_text(with_option(path, value), encoding="utf-8")
        with pytest.raises(StrategyError) as caught:
            load_strategy(file)
        assert caught.value.context["path"] == path
        assert words in str(caught.value)


def test_every_option_is_a_field_with_the_default_of_the_core(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "small.yaml"
    text = SMALL.replace("    epochs: 3", "    early_stopping: {}").split("training:\n  labels")[0]
    empty: dict[str, Any] = {"symbols": {}, "timeframes": {}}
    data = YAML(typ="safe", pure=True).load(text)
    data |= {"deployment": empty, "decisions": {"filters": {}}}
    file.write_text(json.dumps(data), encoding="utf-8")
    plain = load_strategy(file).model_dump(mode="json")
    said = {"name", "training_data.symbols.mode", "training_data.timeframes.mode"}
    for path, option in OPTIONS.items():
        value: Any = plain
        for name in path.split("."):
            value = value[name]
        if path not in said:
            assert value == option["default"], path
            assert type(value) is type(option["default"]), path


def test_numbers_are_numbers_and_texts_are_texts(tmp_path: pathlib.Path, refuse: Any) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL.replace("epochs: 3", "weight_decay: 1e-5"), encoding="utf-8")
    assert load_strategy(file).model.training.weight_decay == 1e-5
    assert "must be a number" in str(refuse("epochs: 3", "weight_decay: '1e-5'"))
    assert "a number is needed" in str(refuse("period: 14", "period: '14'"))
    assert str(refuse("name: small", "name: 14")).endswith('; as a text it stands in quotes: "14"')
    assert str(refuse("symbol: AAPL", "symbol: 0700")).endswith('stands in quotes: "0700"')
    assert "did you mean 'adam'?" in str(refuse("epochs: 3", "optimizer: adams"))


@pytest.mark.parametrize(
    ("section", "names"),
    [("symbols", "[AAPL, MSFT, ' AAPL ']"), ("timeframes", "[1d, 1h, 1d]")],
)
def test_what_is_named_twice_cannot_be_trained_and_is_told(
    tmp_path: pathlib.Path, section: str, names: str
) -> None:
    file = tmp_path / "twice.yaml"
    lines = [
        f"  {section}: {{list: {names}}}" if line.startswith(f"  {section}:") else line
        for line in SMALL.splitlines()
    ]
    file.write_text("\n".join(lines))
    (told,) = strategies.validate(file)
    assert told.path == f"training_data.{section}.list"
    assert "is named twice" in told.message
    assert told.line == 3 + (section == "timeframes")


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ("[{name: rsi, period: '14'}]", "indicators[0].period"),
        ("[{name: rsi, period: null}]", "indicators[0].period"),
        ("[{name: 14}]", "indicators[0].name"),
        ("[rsi]", "indicators[0]"),
        ("[]", "indicators"),
        ("{rsi: {type: 3}}", "indicators.rsi.type"),
        ("{rsi: 3}", "indicators.rsi"),
    ],
)
def test_what_is_wrong_with_the_only_indicator_is_told_and_not_that_there_is_none(
    tmp_path: pathlib.Path, wrong: str, path: str
) -> None:
    file = tmp_path / "only.yaml"
    head, _, rest = SMALL.partition("indicators:\n")
    _, _, tail = rest.partition("fuzzy_sets:\n")
    file.write_text(f"{head}indicators: {wrong}\nfuzzy_sets:\n{tail}")
    told = [one for one in strategies.validate(file) if one.path.startswith("indicators")]
    assert [one.path for one in told] == [path]
    assert ("at least one is needed" in told[0].message) == (wrong == "[]")


def test_everything_that_is_wrong_is_told_in_the_order_of_the_file(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "small.yaml"
    text = SMALL.replace("period: 14", "perod: 14").replace("[1, 0.5]", "[1, 0]")
    file.write_text(text.replace("{name: macd}", "{name: macf}"), encoding="utf-8")
    found = strategies.validate(file)
    assert [(one.line, one.path, one.suggestion) for one in found] == [
        (8, "indicators[0].perod", "period"),
        (9, "indicators[1].name", "macd"),
        (13, "fuzzy_sets.macd.histogram", None),
        (14, "fuzzy_sets.macd.histogram.up.parameters", None),
    ]
    assert str(found[0]).startswith(f"{file}:8:5: indicators[0].perod: rsi has no parameter")
    file.write_text("modle: {}\ntraning: {}\n", encoding="utf-8")
    assert [one.suggestion for one in strategies.validate(file)][-2:] == ["model", "training"]
    file.write_text(SMALL, encoding="utf-8")
    assert strategies.validate(file) == ()


@pytest.mark.parametrize(
    ("old", "new", "path", "line"),
    [
        ("mode: single, symbol: AAPL", "mode: multi, symbol: AAPL", "symbols.mode", 3),
        ("mode: single, symbol: AAPL", "mode: single, symbols: [A, B]", "symbols.mode", 3),
        ("mode: single, timeframe: 1d", "mode: multi_timeframe, list: [1d]", "timeframes.mode", 4),
        ("symbol: AAPL", 'symbol: "{{ SYMBOL }}"', "symbols.symbol", 3),
        ("symbol: AAPL", 'symbol: "${SYMBOL}"', "symbols.symbol", 3),
        ("timeframe: 1d", "timeframe: 1x", "timeframes.timeframe", 4),
    ],
)
def test_what_the_core_refuses_is_told_with_its_place(
    refuse: Any, old: str, new: str, path: str, line: int
) -> None:
    error = refuse(old, new)
    assert error.context["path"] == f"training_data.{path}"
    assert error.context["line"] == line


@pytest.mark.parametrize(
    ("indicators", "sets", "lags", "name"),
    [
        (
            ["macd", "macd_histogram"],
            {"macd": ["a"], "macd.histogram": ["up"], "macd_histogram": ["up"]},
            0,
            "macd_histogram_up",
        ),
        (["a", "a_b"], {"a": ["b_c"], "a_b": ["c"]}, 0, "a_b_c"),
        (["a"], {"a": ["low", "low_lag_1"]}, 1, "a_low_lag_1"),
        (["a"], {"a": ["low", "low_lag_2"]}, 3, "a_low_lag_2"),
    ],
)
def test_two_features_of_one_name_are_refused_by_both_places(
    tmp_path: pathlib.Path, indicators: list[str], sets: dict[str, list[str]], lags: int, name: str
) -> None:
    data = YAML(typ="safe", pure=True).load(SMALL)
    data["indicators"] = [{"name": "macd", "feature_id": one} for one in indicators]
    fuzzy = {"type": "gaussian", "parameters": [0, 1]}
    data["fuzzy_sets"] = {key: dict.fromkeys(names, fuzzy) for key, names in sets.items()}
    data["model"]["features"] = {"lookback_periods": lags}
    file = tmp_path / "small.yaml"
    file.write_text(json.dumps(data, indent=1), encoding="utf-8")
    with pytest.raises(StrategyError, match=f"two features would be called '{name}'") as caught:
        load_strategy(file)
    places = [f"fuzzy_sets.{key}.{one}" for key, names in sets.items() for one in names]
    assert sum(f"one of {place}" in str(caught.value) for place in places) >= 2
    assert caught.value.context["path"] in places
    assert caught.value.context["line"] > 10
    data["model"]["features"] = {"lookback_periods": 0}
    if lags:
        file.write_text(json.dumps(data), encoding="utf-8")
        assert load_strategy(file).name == "small"
