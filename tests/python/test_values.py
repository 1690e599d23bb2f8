"""Values compare, copy, pickle and can be taken apart: every public one, whoever adds the next."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, is_typeddict

import numpy as np
import pytest
from pydantic import BaseModel

from ktrdr_core import (
    CancelReason,
    HostServiceConfig,
    ProgressState,
    ServiceCall,
    _core,
    errors,
    quality,
)
from ktrdr_core.calendars import Period, Session
from ktrdr_core.data import (
    BarCheck,
    BarDamage,
    Change,
    Compacted,
    Contract,
    Exported,
    FailedFile,
    GatewayHealth,
    GatewayOptions,
    Series,
    SourceAnswer,
    SourceLimits,
    Stored,
    StoredFolder,
    Summary,
)
from ktrdr_core.features import FeatureMatrix, Macd, WarmUp
from ktrdr_core.http import PoolOptions, RetryPolicy, ServerEvent, Timeouts, TlsOptions
from ktrdr_core.labels import Labels
from ktrdr_core.models import (
    BarPrediction,
    BarPredictions,
    Explanation,
    Membership,
    ModelInfo,
    Predictions,
)
from ktrdr_core.operations import (
    MetricsPage,
    OperationEvent,
    OperationPage,
    OperationRecord,
    Retention,
    StoreCheck,
    StoreDamage,
)
from ktrdr_core.splits import HoldoutSplit, PurgedKFold, WalkForwardSplit
from ktrdr_core.strategies import StrategyProblem, load_strategy
from ktrdr_core.sweeps import SweepResult
from ktrdr_core.training import QueuePlace, TrainingLimits

NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)
STATE = ProgressState(
    operation_id="op_1",
    percentage=40.5,
    message="Greeting Ada",
    start_time=NOON,
    estimated_remaining=timedelta(seconds=3),
    context={"names": ["Ada", None, 1.5]},
)
RECORD = OperationRecord(
    id="op_1",
    type="greeting",
    parameters={"names": ["Ada"]},
    status="failed",
    created=NOON,
    stopped=NOON + timedelta(seconds=2),
    reason=CancelReason(code="timeout", text="late", origin="deadline"),
    progress=STATE,
    result={"greeted": 1},
    error={"code": "internal", "message": "no", "retryable": False, "context": {"at": 1}},
    warnings=["slow"],
    last_seq=7,
)
EVENT = OperationEvent(seq=3, time=NOON, kind="metric", data={"loss": 0.5})
ONE = Stored("ACME", "1d", 3, 2, 1, NOON, NOON)
DAMAGED = BarDamage("IB", "ACME", "1d", "the chunk of 2024-01", "its checksum does not fit")
BROKEN = FailedFile("MILL_1d.csv", "invalid_argument", "line 3 …", 3, "close")
SAID = BarPrediction(NOON, "buy", {"buy": 0.75, "sell": 0.25})
CLASSES, CHANCES = np.array([0, 1]), np.array([[0.75, 0.25], [0.5, np.nan]], dtype=np.float32)
TIMES = np.arange("2024-01-01", "2024-04-01", dtype="datetime64[D]")
DAYS = np.array(["2024-01-02", "NaT"], dtype="datetime64[ns]")
#: One of each, and a field with another value.
VALUES: list[tuple[Any, dict[str, Any]]] = [
    (CancelReason(code="user", text="enough", origin="cli"), {"text": "late"}),
    (HostServiceConfig(base_url="http://localhost:5001", max_retries=7), {"timeout": 3.0}),
    (PoolOptions(max_connections=4, idle_timeout=1.5), {"max_connections": 5}),
    (RetryPolicy(attempts=5, first_pause=0.25), {"budget": 0.5}),
    (Timeouts(connect=1.25, total=9), {"connect": 1.5}),
    (TlsOptions(verify=False), {"verify": True}),
    (ServerEvent(event="tick", data="ä\n1", id="7"), {"id": "8"}),
    (STATE, {"percentage": 41.0}),
    (RECORD, {"status": "cancelled"}),
    (EVENT, {"seq": 4}),
    (ServiceCall("/echo", {"n": 1}, idempotent=True), {"data": {"n": 2}}),
    (OperationPage([RECORD], 1, 0), {"total_count": 2}),
    (QueuePlace("op", 2, 5), {"priority": 6}),
    (QueuePlace("op", 2, 5, 1_000, "waits for memory"), {"memory": 2_000}),
    (TrainingLimits(10, 1_000), {"sessions": 4}),
    (Retention(max_count=7), {"max_age": timedelta(days=1)}),
    (StoreDamage("op_1", 2, "kind: 'x' is not known"), {"seq": 3}),
    (StoreCheck(1, 2, [StoreDamage("op_1", 0, "status: …")]), {"events": 3}),
    (ONE, {"added": 3}),
    (Series("IB", "ACME", "1d", 3, NOON, NOON), {"bars": 4}),
    (Contract("etf", "ARCA"), {"currency": "USD"}),
    (SourceLimits(timedelta(days=7), 1), {"max_in_flight": 2}),
    (GatewayOptions("gateway.local", 7497), {"patience": 5.0}),
    (GatewayHealth("ready", client_id=1, notices=((2104, 1),)), {"state": "degraded"}),
    (SourceAnswer(partial="capped", dropped=(("2024-01-02", "is smudged"),)), {"partial": ""}),
    (MetricsPage([{"loss": 0.5, "seq": 3}], 3), {"cursor": 4}),
    (Change(NOON, NOON, "loaded", NOON, 1, 2, 3), {"revised": 4}),
    (DAMAGED, {"what": "its order is broken"}),
    (BarCheck(1, 2, 3, 4, 5, [DAMAGED]), {"bars": 6}),
    (Compacted(9, 5, 1), {"bytes_after": 4}),
    (Exported(Path("a.csv"), "ACME", "1d", 3, 99, NOON, NOON), {"bytes": 98}),
    (BROKEN, {"line": 4}),
    (Session(NOON.date(), NOON, NOON + timedelta(hours=6)), {"early_close": True}),
    (Period(NOON, NOON, NOON + timedelta(hours=1)), {"end": NOON + timedelta(hours=2)}),
    (quality.Evidence(NOON, NOON, "bars", NOON), {"kind": "empty"}),
    (quality.Gap(NOON, NOON, "unknown", 2, 5, "unexpected", "nobody asked"), {"bars": 3}),
    (quality.Finding("ohlc", "error", 3, 1, NOON, "high", 9.0, "below its open"), {"rows": 2}),
    (quality.Change("value", 5, "high", 1.0, 2.0, 0, "the open is higher"), {"index": 6}),
    (quality.ClockChange(1), {"hours": 2}),
    (quality.ClockScore(quality.ClockChange(1), 0.5), {"fit": 0.75}),
    (
        quality.ClockReport(
            0.5, quality.ClockChange(1), (quality.ClockScore(quality.ClockChange(1), 0.5),), "as"
        ),
        {"change": None},
    ),
    (StoredFolder("bars", (ONE,), (BROKEN,), 3, 2, 1), {"added": 3}),
    (Membership("1d_rsi_low", 0.5), {"value": 0.75}),
    (Explanation(SAID, (Membership("1d_rsi_low", 0.5),)), {"fired": ()}),
    (
        ModelInfo(
            *(Path("m_v1"), "m", ("ACME",), ("1d",), 1, "2026-01-02T12:00:00Z", "mlp 4-3", 0.5),
            *(0.5, None, {}, {}, {}, {}),
        ),
        {"beats_prior": True},
    ),
    (StrategyProblem("a.yaml", 7, 5, "name", "is empty"), {"line": None}),
    (Predictions(("buy", "sell"), CLASSES, CHANCES), {"classes": CLASSES[::-1]}),
    (
        BarPredictions(("buy", "sell"), CLASSES, CHANCES, DAYS, CLASSES),
        {"time": DAYS.astype("datetime64[s]")},
    ),
    (FeatureMatrix(("a", "b"), CHANCES, DAYS, CLASSES, {"warm_up": 3}), {"dropped": {}}),
    (Labels(CLASSES, DAYS, np.array([1.0, np.nan]), {"hole": 2}), {"weights": np.array([1.0, 2])}),
    (
        Summary("IB", "ACME", "1d", 3, NOON, NOON, 1.0, 2.0, 1.5, None, 3, ((NOON, NOON),)),
        {"volume": 9.0},
    ),
]
#: Values of other kinds: none has fields to take apart.
WHOLE: list[Any] = [
    SAID,
    WarmUp(14, 120),
    Macd(1.0, 0.5, 0.5),
    SweepResult([{"run": 1, "settings": {"a": 1}}], [{"windows": 2}]),
    load_strategy(Path(__file__).parents[2] / "examples/strategies/macd_turn.yaml"),
]
#: Those for users; what is for tests and hosts is their own matter.
PACKAGES = (
    *("adapter", "bars", "calendars", "cancellation", "data", "features", "http", "labels"),
    *("models", "notebook", "operations", "orchestrator", "progress", "quality", "splits"),
    *("strategies", "sweeps", "training"),
)
#: What the packages hand out besides: handles, functions' companions, things with a life of their own.
HANDLES = {
    "AsyncServiceAdapter",
    # It answers questions about periods, of a calendar: its names say which.
    "BarGrid",
    "BarSource",
    # A secret: nothing of it is shown, so nothing of it is compared or copied either.
    "Bearer",
    "CancelRegistration",
    "CancellationSystem",
    "CancellationToken",
    "Client",
    "CsvSource",
    "DataJobManager",
    # As scikit-learn's; that they cross into other processes is tried below.
    *("HoldoutSplit", "PurgedKFold", "WalkForwardSplit"),
    # A view of an operation's record, which is tried here; test_jobs.py compares and pickles one.
    "DataLoadingJob",
    "DataManager",
    "DataProgressRenderer",
    # A tuple, and compared as one.
    "DroppedRow",
    "EventStream",
    # Reports compare and pickle as a whole (test_quality.py), and are taken apart by their to_dict().
    "GapReport",
    "GenericProgressManager",
    "Headers",
    "IbDataAdapter",
    "IbGatewaySource",
    # It holds errors, each of which is itself alone.
    "LoadedMany",
    # Its folder is the value: load(path) gives it again.
    "Model",
    "Operation",
    "OperationContext",
    "OperationScope",
    "OperationStarter",
    "OperationsService",
    "PendingResponse",
    "PredictionStream",
    "ProgressRenderer",
    "QualityReport",
    # It holds a cluster's work.
    "RayExecutor",
    # It can be undone, by the bars that it was given.
    "Repair",
    "ReplaySource",
    # Bars and two counts; bars have a test of their own.
    "Resampled",
    "Response",
    "ServiceOrchestrator",
    # A table of sessions, shared by all who name it.
    "SessionCalendar",
    "SourceCalls",
    # An indicator in the middle of its bars.
    "Stream",
    "StreamedResponse",
    "TimeEstimationEngine",
    "TrainingManager",
    "TrainingProgressRenderer",
    "ResumedJobs",
}
#: The same classes without their types.
UNCHECKED: Any = _core
values = pytest.mark.parametrize(
    ("value", "change"), VALUES, ids=[type(value).__name__ for value, _ in VALUES]
)


def public_classes() -> set[type]:
    """Every class that a package for users hands out; what only types keywords makes plain dicts."""
    modules = [importlib.import_module(f"ktrdr_core.{name}") for name in PACKAGES]
    return {
        thing
        for module in modules
        for name in getattr(module, "__all__", ())
        if isinstance(thing := getattr(module, name), type) and not is_typeddict(thing)
    }


def is_value_by_kind(cls: type) -> bool:
    """Say whether its kind makes it a value: tuples with names, and sections of a strategy; one of each is tried below."""
    return issubclass(cls, tuple) or issubclass(cls, BaseModel)


def can_change(content: object) -> bool:
    """Say whether it is, or holds, what can be changed: such a thing has no hash."""
    if isinstance(content, tuple):
        return any(map(can_change, content))
    return isinstance(content, dict | list | np.ndarray)


def test_every_public_class_is_a_value_tried_here_or_a_handle() -> None:
    tried = {type(value) for value, _ in VALUES}
    left = {cls for cls in public_classes() - tried if not is_value_by_kind(cls)}
    assert {cls.__name__ for cls in left} - HANDLES - {type(one).__name__ for one in WHOLE} == set()


def test_every_value_of_the_core_is_tried_here() -> None:
    bound = {cls for cls in vars(_core).values() if hasattr(cls, "__dataclass_fields__")}
    assert bound - {type(value) for value, _ in VALUES} == set()


@values
def test_equal_is_what_has_equal_fields(value: Any, change: dict[str, Any]) -> None:
    same, other = dataclasses.replace(value), dataclasses.replace(value, **change)
    assert same == value
    assert other != value
    assert value != object()
    for name, content in change.items():
        assert getattr(other, name) is content or getattr(other, name) == content


@values
def test_a_hash_goes_with_equality(value: Any, change: dict[str, Any]) -> None:
    fields = [getattr(value, field.name) for field in dataclasses.fields(value)]
    if any(map(can_change, fields)):
        # What can change has no hash, and so has what holds it.
        with pytest.raises(TypeError, match="unhashable"):
            hash(value)
        return
    assert hash(value) == hash(dataclasses.replace(value))
    assert len({value, dataclasses.replace(value), dataclasses.replace(value, **change)}) == 2


@values
def test_copies_and_pickles_are_equal(value: Any, change: dict[str, Any]) -> None:
    del change
    assert copy.copy(value) == value
    assert copy.deepcopy(value) == value
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(value, protocol)) == value


@values
def test_it_can_be_taken_apart_and_put_together(value: Any, change: dict[str, Any]) -> None:
    del change
    names = [field.name for field in dataclasses.fields(value)]
    assert list(dataclasses.asdict(value)) == names
    assert type(value)(**{name: getattr(value, name) for name in names}) == value
    assert all(f"{name}" in type(value).__match_args__ for name in names)


@pytest.mark.parametrize("value", WHOLE, ids=[type(value).__name__ for value in WHOLE])
def test_values_of_other_kinds_compare_copy_and_pickle(value: Any) -> None:
    assert value != object()
    copies = [copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))]
    assert all(type(one) is type(value) and one == value for one in copies)


@pytest.mark.parametrize(
    "split",
    [
        HoldoutSplit(TIMES, TIMES, embargo=timedelta(days=1)),
        PurgedKFold(TIMES, TIMES, n_splits=3),
        WalkForwardSplit(TIMES, TIMES, n_splits=2),
    ],
    ids=lambda split: type(split).__name__,
)
def test_splits_cross_into_other_processes(split: Any) -> None:
    there = pickle.loads(pickle.dumps(split))
    for ours, theirs in zip(split.split(), there.split(), strict=True):
        assert all(map(np.array_equal, ours, theirs))


@values
def test_no_field_can_be_set(value: Any, change: dict[str, Any]) -> None:
    for name, content in change.items():
        with pytest.raises(AttributeError):
            setattr(value, name, content)


def test_what_is_inside_is_taken_apart_too() -> None:
    taken = dataclasses.asdict(OperationPage([RECORD], 1, 0))
    assert taken["total_count"] == 1
    assert dataclasses.asdict(HostServiceConfig())["tls"]["verify"] is True
    assert dataclasses.asdict(RECORD)["progress"]["context"] == {"names": ["Ada", None, 1.5]}
    assert dataclasses.asdict(RECORD)["reason"]["code"] == "timeout"


def test_values_cross_into_a_spawned_process_and_back(tmp_path: Path) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes(pickle.dumps([value for value, _ in VALUES]))
    code = (
        "import pickle, sys, pathlib\n"
        "values = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "pathlib.Path(sys.argv[2]).write_bytes(pickle.dumps(values))\n"
    )
    subprocess.run([sys.executable, "-c", code, there, back], check=True, timeout=60)
    assert pickle.loads(back.read_bytes()) == [value for value, _ in VALUES]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            lambda: UNCHECKED.OperationRecord(colour="red"),
            "an OperationRecord has no field .*colour",
        ),
        (lambda: UNCHECKED.OperationRecord(status="asleep"), "status .*asleep.* is not known"),
        (
            lambda: UNCHECKED.OperationRecord(created="today"),
            "created of an OperationRecord cannot be 'today'",
        ),
        (
            lambda: UNCHECKED.OperationRecord(
                error={"code": "internal", "message": "no", "context": [1]}
            ),
            "error of an OperationRecord cannot be",
        ),
        (lambda: UNCHECKED.OperationEvent(kind="song"), "kind .*song.* is not known"),
        (lambda: UNCHECKED.OperationEvent(data=[1]), "data of an OperationEvent cannot be"),
        (lambda: UNCHECKED.CancelReason(code="whim"), "whim"),
        (lambda: UNCHECKED.CancelReason(text=5), "text of a CancelReason cannot be 5"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(wrong: Any, words: str) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=words):
        wrong()
