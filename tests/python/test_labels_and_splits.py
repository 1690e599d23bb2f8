"""Labels say when they are known, and splits keep to it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from ktrdr_core import errors
from ktrdr_core.labels import CLASS_NAMES, Labels, forward_return, triple_barrier, zigzag
from ktrdr_core.splits import HoldoutSplit, PurgedKFold, WalkForwardSplit
from walks import frame, walk

if TYPE_CHECKING:
    from collections.abc import Callable

MAKERS: list[Callable[..., Labels]] = [forward_return, zigzag, triple_barrier]
DAY = np.timedelta64(1, "D")


def times(seed: int, rows: int = 300) -> tuple[Any, Any]:
    """Give starts and ends of rows of several symbols, in no order."""
    random = np.random.default_rng(seed)
    starts = np.datetime64("2024-01-01") + random.integers(0, rows, rows) * DAY
    return starts, starts + random.integers(1, 12, rows) * DAY


@pytest.mark.parametrize("make", MAKERS)
def test_labels_are_columns_of_one_length_that_nobody_can_change(make: Any) -> None:
    labels = make(frame(walk(1, 500), "1d"), timeframe="1d")
    assert len(labels) == len(labels.classes) == len(labels.ends) == len(labels.weights) == 500
    assert set(np.unique(labels.classes)) == {-1, 0, 1, 2}
    assert np.isnat(labels.ends[~labels.decided]).all()
    assert (labels.weights[~labels.decided] == 0).all()
    assert labels.weights[labels.decided].mean() == pytest.approx(1)
    assert sum(labels.left_out.values()) == (~labels.decided).sum()
    with pytest.raises(ValueError, match="read-only"):
        labels.classes[0] = 1


@pytest.mark.parametrize("make", MAKERS)
def test_a_label_is_known_at_its_end_and_never_changes(make: Any) -> None:
    closes = walk(2, 200)
    bars = frame(closes, "1d")
    whole = make(bars, timeframe="1d")
    for count in range(5, 200, 13):
        early = make({name: column[:count] for name, column in bars.items()}, timeframe="1d")
        known = whole.decided[:count] & (whole.ends[:count] <= bars["date"][count - 1] + DAY)
        assert (early.decided == known).all()
        assert (early.classes[known] == whole.classes[:count][known]).all()


def test_a_calendar_says_where_sessions_are_missing() -> None:
    dates = np.array(["2024-01-08", "2024-01-09", "2024-01-11", "2024-01-12"])
    prices = np.array([10.0, 11, 12, 13])
    bars = {"date": dates, "open": prices, "high": prices, "low": prices, "close": prices}
    with_calendar = forward_return(bars, lookahead=1, timeframe="1d", calendar="XNYS")
    assert with_calendar.classes.tolist() == [0, -1, 0, -1]
    assert with_calendar.left_out == {"hole": 1, "undecided": 1}
    assert str(with_calendar.ends[0]) == "2024-01-09T21:00:00.000000000"
    assert forward_return(bars, lookahead=1, timeframe="1d").left_out == {"undecided": 1}
    assert CLASS_NAMES[0] == "buy"


@pytest.mark.parametrize(
    ("make", "wrong", "field"),
    [
        (forward_return, {"threshold": -0.1}, "threshold"),
        (forward_return, {"threshold": 1}, "threshold"),
        (forward_return, {"lookahead": 0}, "label_lookahead"),
        (forward_return, {"lookahead": -1}, "label_lookahead"),
        (zigzag, {"lookahead": -(2**70)}, "label_lookahead"),
        (triple_barrier, {"lookahead": -3}, "label_lookahead"),
        (zigzag, {"zigzag_threshold": 0}, "zigzag_threshold"),
        (triple_barrier, {"stop_threshold": 2}, "stop_threshold"),
    ],
)
def test_a_rule_that_decides_nothing_is_refused(make: Any, wrong: Any, field: str) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="needed") as caught:
        make(frame(walk(1, 10), "1d"), timeframe="1d", **wrong)
    assert caught.value.context["field"] == field


def test_bars_out_of_order_are_refused() -> None:
    bars = frame(walk(1, 10), "1d")
    with pytest.raises(errors.InvalidArgumentError):
        forward_return({name: column[::-1] for name, column in bars.items()}, timeframe="1d")


@pytest.mark.parametrize("embargo", [timedelta(0), timedelta(days=3), np.timedelta64(72, "h")])
@pytest.mark.parametrize("seed", range(3))
def test_no_fold_trains_on_what_knows_of_its_test(seed: int, embargo: Any) -> None:
    starts, ends = times(seed)
    span = np.timedelta64(embargo)
    folds = PurgedKFold(starts, ends, n_splits=4, embargo=embargo)
    tested = np.concatenate([test for _, test in folds.split()])
    assert sorted(tested) == list(range(300))
    for train, test in folds.split():
        before = ends[train][:, None] + span <= starts[test].min()
        behind = starts[train][:, None] >= ends[test].max() + span
        assert (before | behind).all()
    for train, test in WalkForwardSplit(starts, ends, n_splits=4, embargo=embargo).split():
        assert ends[train].max() + span <= starts[test].min()


@pytest.mark.parametrize("seed", range(3))
def test_a_holdout_has_one_pair_of_times(seed: int) -> None:
    starts, ends = times(seed)
    train, validation, test, purged = HoldoutSplit(starts, ends).parts()
    assert len(train) + len(validation) + len(test) + purged == 300
    assert ends[train].max() <= starts[validation].min()
    assert ends[validation].max() <= starts[test].min()
    [(first, second)] = HoldoutSplit(starts, ends).split()
    assert (first == train).all()
    assert (second == test).all()


def test_splits_have_the_form_of_scikit_learn() -> None:
    starts, ends = times(1)
    rows = np.zeros((300, 2))
    for split in (
        HoldoutSplit(starts, ends),
        WalkForwardSplit(starts, ends, n_splits=3, test_size=20, max_train_size=100),
        PurgedKFold(starts, ends, n_splits=3),
    ):
        pairs = list(split.split(rows, rows[:, 0], groups=None))
        assert len(pairs) == split.get_n_splits(rows, rows[:, 0], None)
        for train, test in pairs:
            assert len(rows[train]) + len(rows[test]) <= 300
            assert not set(train) & set(test)
        with pytest.raises(errors.InvalidArgumentError, match="299 rows"):
            next(split.split(rows[1:]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ends": np.array(["NaT"] * 10, "datetime64[ns]")}, "not decided"),
        ({"ends": np.arange(10)}, "datetime64"),
        ({"ends": np.arange(9).astype("datetime64[D]")}, "9 ends"),
        ({"ends": np.arange(10).astype("datetime64[D]") - DAY}, "before its start"),
        ({"embargo": timedelta(days=-1)}, "embargo"),
        ({"embargo": 3}, "embargo"),
        ({"embargo": timedelta.max}, "embargo is longer"),
        ({"embargo": np.timedelta64(2**62, "D")}, "embargo is longer"),
        ({"embargo": np.timedelta64(2**40, "Y")}, "embargo is longer"),
        ({"embargo": np.timedelta64("NaT")}, "embargo"),
        ({"embargo": np.timedelta64(5)}, "has no unit"),
        ({"starts": np.datetime64("3000-01-01") + np.arange(10)}, "years 1678 to 2261"),
        ({"starts": np.datetime64("0001-01-01") + np.arange(10)}, "years 1678 to 2261"),
        ({"ends": np.datetime64("2900-01-01") + np.arange(10)}, r"ends\[0\] is 2900-01-01"),
        ({"n_splits": -1}, "n_splits is -1"),
        ({"n_splits": 0}, "n_splits is 0"),
        ({"n_splits": 1}, "n_splits"),
        ({"n_splits": 11}, "n_splits"),
        ({"n_splits": 2.0}, "n_splits must be a whole number"),
        ({"n_splits": "3"}, "n_splits must be a whole number"),
        ({"n_splits": True}, "n_splits must be a whole number"),
        ({"n_splits": 2**70}, "n_splits is"),
        ({"starts": np.repeat(np.datetime64("2024-01-01"), 10)}, "no row to t"),
        ({"embargo": timedelta(days=30)}, "no row to train on"),
    ],
)
def test_what_cannot_be_split_is_refused(change: dict[str, Any], words: str) -> None:
    given = {"starts": np.arange(10).astype("datetime64[D]"), "ends": None} | change
    if given["ends"] is None:
        given["ends"] = given["starts"] + DAY
    with pytest.raises(errors.InvalidArgumentError, match=words):
        list(PurgedKFold(**given).split())


@pytest.mark.parametrize("field", ["n_splits", "test_size", "max_train_size"])
@pytest.mark.parametrize("value", [0, -1, 2**70, 1.5, "3", True])
def test_a_count_of_a_walk_forward_is_looked_at_when_it_is_made(field: str, value: Any) -> None:
    starts, ends = times(1)
    with pytest.raises(errors.InvalidArgumentError, match=field):
        WalkForwardSplit(starts, ends, **{field: value})


@pytest.mark.parametrize(
    "split",
    [
        lambda starts, ends: HoldoutSplit(starts, ends, embargo=timedelta(days=9000)),
        lambda starts, ends: WalkForwardSplit(starts, ends, embargo=timedelta(days=9000)),
        lambda starts, ends: WalkForwardSplit(starts, starts + 40 * DAY, max_train_size=1),
        lambda starts, ends: PurgedKFold(starts, ends, embargo=timedelta(days=9000)),
    ],
)
def test_no_fold_comes_without_rows_on_both_sides(split: Any) -> None:
    starts, ends = times(2)
    with pytest.raises(errors.InvalidArgumentError, match="to train"):
        list(split(starts, ends).split())


def test_an_embargo_of_pandas_keeps_its_nanoseconds() -> None:
    starts = np.arange(10).astype("datetime64[D]")
    kept = [
        len(HoldoutSplit(starts, starts + DAY, embargo=one).parts().train)
        for one in (timedelta(0), pd.Timedelta(1, "ns"), np.timedelta64(1, "ns"))
    ]
    assert kept[0] == kept[1] + 1 == kept[2] + 1


@pytest.mark.parametrize("share", ["train", "validation", "test"])
@pytest.mark.parametrize("odd", ["a", None, [0.5], True])
def test_a_share_that_is_no_number_is_named(share: str, odd: Any) -> None:
    starts = np.arange("2024-01-01", "2024-01-21", dtype="datetime64[D]")
    with pytest.raises(errors.InvalidArgumentError, match=f"{share} must be a number, not"):
        HoldoutSplit(starts, starts + DAY, **{share: odd})
