"""The feature matrix of a strategy over bars that are handed in: the rows of a training, and none that knows the future."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ktrdr_core import CancellationToken, errors
from ktrdr_core.features import feature_matrix
from ktrdr_core.models import load
from ktrdr_core.strategies import describe, load_strategy
from models_made import Trained, train
from walks import HOURS, frame, longer, walk

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "strategies").glob("*.yaml"))
examples = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
DAYS = 1500


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(tmp_path_factory.mktemp("trained"))


def bars_for(path: Path, days: int = DAYS) -> dict[str, dict[str, Any]]:
    closes = walk(7, DAYS)[:days]
    return {
        name: frame(closes, "1d") if name == "1d" else longer(closes, HOURS["1d"], 0, name)
        for name in describe(path)["timeframes"]
    }


def test_a_model_sees_these_rows(trained: Trained) -> None:
    matrix = feature_matrix(trained.data_dir.parent / "small.yaml", trained.bars)
    model = load(trained.path)
    rows, values = model.features(trained.bars, exact=False)
    assert matrix.names == tuple(model.feature_names)
    assert np.array_equal(matrix.rows, rows)
    assert np.array_equal(matrix.values, values)
    assert np.array_equal(matrix.time, trained.bars.time[rows])


@examples
def test_every_bar_has_a_row_or_a_reason(path: Path) -> None:
    bars = bars_for(path)
    matrix = feature_matrix(path, bars)
    assert matrix.names == tuple(describe(path)["features"])
    assert matrix.values.shape == (len(matrix), len(matrix.names))
    assert len(matrix) + sum(matrix.dropped.values()) == DAYS
    assert set(matrix.dropped) == {"warm_up"}
    assert np.isfinite(matrix.values).all()
    assert feature_matrix(load_strategy(path), bars) == matrix


@examples
@pytest.mark.parametrize("days", [700, 701, 702, 703, 704, 705, 706])
def test_no_row_knows_what_comes_later(path: Path, days: int) -> None:
    whole, part = feature_matrix(path, bars_for(path)), feature_matrix(path, bars_for(path, days))
    count = len(part)
    assert count > 100
    assert np.array_equal(part.rows, whole.rows[:count])
    assert np.array_equal(part.values, whole.values[:count])


def test_bars_without_a_row_are_counted_by_reason(tmp_path: Path) -> None:
    path = EXAMPLES[[one.stem for one in EXAMPLES].index("trend_pullback")]
    bars = bars_for(path)["1d"]
    bars["close"] = bars["close"].copy()
    bars["close"][1000] = np.nan
    kept = np.r_[0:600, 640:DAYS]
    matrix = feature_matrix(path, {name: column[kept] for name, column in bars.items()})
    warm_up = describe(path)["warm_up_bars"]
    assert matrix.dropped == {"warm_up": warm_up, "hole": warm_up, "nan": warm_up + 1}
    assert "without a row: " in repr(matrix)
    assert not set(matrix.rows) & set(range(600, 600 + warm_up))


def test_a_frame_has_a_column_for_each_feature() -> None:
    matrix = feature_matrix(EXAMPLES[0], bars_for(EXAMPLES[0]))
    table = matrix.to_pandas()
    assert list(table.columns) == list(matrix.names)
    assert np.array_equal(table.to_numpy(), matrix.values)
    assert str(table.index.dtype) == "datetime64[ns, UTC]"


@pytest.mark.parametrize(
    ("give", "words"),
    [
        (lambda bars: bars["1d"], "bars of 1d and 1w are needed, and given were one series"),
        (lambda bars: {"1d": bars["1d"]}, "1d and 1w are needed, and given were of '1d': give"),
        (lambda bars: {}, "given were none"),
        (lambda bars: bars | {"1h": bars["1d"]}, "given were of '1d', '1w', '1h'"),
        (lambda bars: bars | {"1d": {k: v[::-1] for k, v in bars["1d"].items()}}, "order|after"),
        (lambda bars: bars | {"1d": 5}, "frame|bars"),
    ],
)
def test_bars_that_do_not_fit_are_refused(give: Any, words: str) -> None:
    path = next(one for one in EXAMPLES if one.stem == "two_timeframes")
    with pytest.raises(errors.InvalidArgumentError, match=words):
        feature_matrix(path, give(bars_for(path)))


def test_what_is_no_strategy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.yaml").write_text("name: [")
    for path in (tmp_path / "no.yaml", tmp_path / "none.yaml"):
        with pytest.raises(errors.StrategyError, match=path.name):
            feature_matrix(path, bars_for(EXAMPLES[0]))


def test_a_cancel_stops_it() -> None:
    token = CancellationToken()
    token.cancel("enough")
    with pytest.raises(errors.OperationCancelledError, match="enough"):
        feature_matrix(EXAMPLES[0], bars_for(EXAMPLES[0]), cancellation_token=token)
