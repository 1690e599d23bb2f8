"""The training host service: the whole contract to a client that knows only the table, and what ours adds."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from ktrdr_core import DataManager, TrainingManager
from ktrdr_core.hosts.training.sessions import HostLimits
from ktrdr_core.operations import OperationsService
from training_hosts import (
    ENDLESS,
    EXAMPLE,
    TableClient,
    app_of,
    events_of,
    start_body,
    store_bars,
    strategy,
    strategy_file,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx


EXAMPLES = EXAMPLE.parent


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bars")
    store_bars(folder)
    return folder


@pytest.fixture
def http(bars: Path, tmp_path: Path) -> Iterator[httpx.Client]:
    with app_of(bars, tmp_path / "models") as client:
        yield client


@pytest.fixture
def table(http: httpx.Client) -> TableClient:
    return TableClient(http)


def test_a_client_that_knows_only_the_table_trains_and_sees_the_end(table: TableClient) -> None:
    healthy, service, timestamp, status = table.ask(
        "GET", "/health", "healthy service timestamp status"
    )
    assert (healthy, service, bool(timestamp), bool(status)) == (True, "training-host", True, True)
    table.ask("GET", "/health/detailed", "active_training_sessions uptime_seconds gpu_available")
    session = table.start(start_body("mine-1"))
    assert session == "mine-1"
    ended = table.end(session)
    assert (ended["status"], ended["error"]) == ("completed", None)
    assert ended["progress"]["progress_percent"] == 100
    assert ended["metrics"]["epoch"] == 3
    assert {"train_loss", "val_loss", "val_accuracy", "learning_rate"} <= set(ended["metrics"])
    total, sessions, _ = table.ask("GET", "/training/sessions", "total_sessions sessions timestamp")
    assert total == len(sessions)
    assert "mine-1" in [one["session_id"] for one in sessions]
    gone, status, _ = table.ask("DELETE", "/training/sessions/mine-1", "session_id status message")
    assert (gone, status) == ("mine-1", "cleaned_up")
    assert table.http.get("/training/status/mine-1").status_code == 404


def test_the_final_status_has_the_same_result_as_a_training_of_this_machine(
    table: TableClient, bars: Path, tmp_path: Path
) -> None:
    session = table.start(start_body())
    assert table.end(session)["status"] == "completed"
    there = table.http.get(f"/training/status/{session}").json()["result"]
    with DataManager(bars, env={}) as data, TrainingManager(data, tmp_path / "m", env={}) as here:
        path = strategy_file(tmp_path)
        own = here.train_multi_symbol_strategy(path, ["AAPL", "MSFT"], ["1d"]).result(120)
    assert {name: set(there[name]) for name in there if isinstance(there[name], dict)} == {
        name: set(own[name]) for name in own if isinstance(own[name], dict)
    }
    for one in (there, own):
        assert one["baselines"]["random_walk"].pop("seconds") > 0
    for name in ("test_metrics", "validation_metrics", "history", "baselines", "model_info"):
        assert there[name] == own[name]


@pytest.mark.parametrize("form", ["mapping", "text", "core", "json text"])
def test_a_strategy_travels_in_each_of_its_spellings(
    table: TableClient, form: str, tmp_path: Path
) -> None:
    from ktrdr_core.strategies import load_strategy

    body = start_body(epochs=1)
    if form == "text":
        body["model_configuration"]["strategy_config"] = yaml.safe_dump(strategy(epochs=1))
    elif form == "json text":
        body["model_configuration"]["strategy_config"] = json.dumps(strategy(epochs=1))
    elif form == "core":
        known = load_strategy(strategy_file(tmp_path, epochs=1))
        body["model_configuration"]["strategy_config"] = known.to_json()
    assert table.end(table.start(body))["status"] == "completed"


@pytest.mark.parametrize("form", ["text", "core"])
def test_a_strategy_of_the_later_grammar_travels_too_and_takes_options(
    table: TableClient, form: str
) -> None:
    from ktrdr_core.strategies import load_strategy

    path = EXAMPLES / "weekly_inputs_v3.yaml"
    known = load_strategy(path)
    config: Any = path.read_text() if form == "text" else known.to_json()
    body = start_body()
    body["model_configuration"] |= {"strategy_config": config, "symbols": None, "timeframes": None}
    body["training_configuration"] = {"epochs": 1}
    response = table.http.post("/training/start", json=body)
    assert response.status_code == 200, response.text
    asked = OperationsService().get(response.json()["session_id"]).parameters["strategy"]
    learning = {**known.to_json()["model"]["training"], "epochs": 1}
    assert asked == {**known.to_json(), "model": {**known.to_json()["model"], "training": learning}}


def test_what_says_nothing_is_not_told_to_have_counted(table: TableClient) -> None:
    body = start_body(epochs=1)
    body["training_configuration"] = {"validation_split": None, "seed": 0}
    body["data_configuration"] = {"start_date": "", "symbols": [], "end_date": "2019-01-01"}
    answer = table.http.post("/training/start", json=body).json()
    assert answer["used"] == ["end_date", "seed"]


def test_options_in_place_of_the_strategys_own_count_and_others_are_told(
    table: TableClient,
) -> None:
    body = start_body(epochs=50)
    body["training_configuration"] = {
        "epochs": 2,
        "batch_size": 64,
        "validation_split": 0.2,
        "start_date": "2018-06-01",
        "glitter": 1,
    }
    answer = table.http.post("/training/start", json=body).json()
    assert "not used: glitter" in answer["message"]
    ended = table.end(answer["session_id"])
    assert ended["progress"]["total_epochs"] in (0, 2)
    result = table.http.get(f"/training/status/{answer['session_id']}").json()["result"]
    assert result["training_metrics"]["epochs_completed"] == 2
    assert result["session_info"]["start_date"].startswith("2018-06-01")


def wrong(**changes: Any) -> dict[str, Any]:
    """A body with other values in its model's configuration."""
    body = start_body()
    body["model_configuration"] |= changes
    return body


BROKEN = strategy()
BROKEN["model"]["training"]["epochz"] = 5


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 422, "model_configuration"),
        (wrong(strategy_config=BROKEN), 422, "epochz"),
        (wrong(strategy_config="/etc/passwd"), 422, "a path"),
        (wrong(strategy_config="../../secret.yaml"), 422, "a path"),
        (wrong(strategy_config="{[\n"), 422, "strategy_config"),
        (wrong(strategy_config=7), 422, "strategy_config"),
        (wrong(symbols="AAPL"), 422, "symbols"),
        (wrong(timeframes=["7x"]), 422, "7x"),
        (start_body("no/slashes"), 422, "session_id"),
        (start_body() | {"training_configuration": {"epochs": "many"}}, 422, "epochs"),
        (start_body() | {"training_configuration": {"validation_split": "x"}}, 422, "split"),
        (start_body() | {"data_configuration": {"start_date": 5}}, 422, "start_date"),
        (start_body() | {"data_configuration": {"start_date": "soon"}}, 422, "soon"),
        (start_body() | {"data_configuration": {"start_date": 0}}, 422, "start_date"),
        (start_body() | {"data_configuration": {"test_from": False}}, 422, "test_from"),
        (start_body() | {"training_configuration": {"end_date": []}}, 422, "end_date"),
    ],
)
def test_what_cannot_be_trained_is_422_with_words(
    http: httpx.Client, body: Any, status: int, said: str
) -> None:
    response = http.post("/training/start", json=body)
    assert response.status_code == status
    assert said in response.json()["detail"]
    assert "/tmp" not in response.json()["detail"]


def test_who_is_not_here_is_404_and_what_cannot_be_now_409(table: TableClient) -> None:
    http = table.http
    for method, path in (
        ("GET", "/training/status/none"),
        ("GET", "/training/sessions/none/metrics"),
        ("GET", "/training/sessions/none/events"),
        ("GET", "/training/sessions/none/model"),
        ("DELETE", "/training/sessions/none"),
    ):
        assert http.request(method, path).status_code == 404
    assert http.get("/training/status/no%20id").status_code == 422
    session = table.start(start_body("busy-1", **ENDLESS))
    assert http.get(f"/training/sessions/{session}/model").status_code == 409
    other = http.post("/training/start", json=start_body("busy-1", epochs=7))
    assert other.status_code == 409
    assert "another request" in other.json()["detail"]
    assert http.post("/training/stop", json={"session_id": session}).status_code == 200
    done = table.start(start_body("done-1", epochs=1))
    table.end(done)
    assert http.post("/training/stop", json={"session_id": done}).status_code == 409


def test_one_id_is_one_session_however_often_it_is_sent(table: TableClient) -> None:
    body = start_body("once-1", **ENDLESS)
    assert {table.start(body) for _ in range(5)} == {"once-1"}
    assert table.http.app.state.sessions.active == 1  # type: ignore[attr-defined]
    table.ask("POST", "/training/stop", "status", {"session_id": "once-1"})
    assert table.start(body) == "once-1"
    assert table.status("once-1")["status"] == "stopped"


def test_a_stop_ends_the_session_and_can_be_said_twice(table: TableClient) -> None:
    session = table.start(start_body(**ENDLESS))
    table.training(session)
    for _ in range(2):
        answer = table.ask(
            "POST",
            "/training/stop",
            "session_id status message checkpoint_saved",
            {"session_id": session, "save_checkpoint": True},
        )
        assert answer[:2] == [session, "stopped"]
    assert table.status(session)["status"] == "stopped"
    assert table.http.app.state.sessions.active == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("save", [True, False])
def test_a_stop_leaves_a_checkpoint_where_one_is_wanted_and_another_session_goes_on_from_it(
    table: TableClient, save: bool
) -> None:
    session = table.start(start_body(**ENDLESS))
    table.training(session)
    until(lambda: table.status(session)["progress"]["epoch"] > 2)
    saved = table.ask(
        "POST",
        "/training/stop",
        "checkpoint_saved",
        {"session_id": session, "save_checkpoint": save},
    )
    assert saved == [save]
    body = start_body(**ENDLESS)
    body["training_configuration"] = {"resume_from": session}
    later = table.start(body)
    if not save:
        assert table.end(later)["status"] == "failed"
        return
    until(lambda: table.http.get(f"/training/sessions/{later}/metrics").json()["metrics"])
    first = table.http.get(f"/training/sessions/{later}/metrics").json()["metrics"][0]
    assert first["epoch"] > 2
    table.ask("POST", "/training/stop", "status", {"session_id": later})


def test_a_session_that_was_stopped_before_it_came_does_not_begin(http: httpx.Client) -> None:
    assert http.post("/training/stop", json={"session_id": "late-1"}).status_code == 404
    late = http.post("/training/start", json=start_body("late-1"))
    assert late.status_code == 409
    assert "stopped before it came" in late.json()["detail"]


@pytest.mark.parametrize("ended", [False, True])
def test_a_session_that_was_cleaned_up_stays_so_whatever_is_asked_of_it(
    table: TableClient, ended: bool
) -> None:
    http = table.http
    session = table.start(start_body(f"swept-{ended}", **({"epochs": 1} if ended else ENDLESS)))
    if ended:
        table.end(session)
    assert http.delete(f"/training/sessions/{session}").status_code == 200
    for _ in range(2):
        for method, path in (
            ("POST", "/training/stop"),
            ("GET", f"/training/status/{session}"),
            ("GET", f"/training/sessions/{session}/metrics"),
            ("DELETE", f"/training/sessions/{session}"),
        ):
            body = {"session_id": session} if method == "POST" else None
            assert http.request(method, path, json=body).status_code == 404, path
        listed = http.get("/training/sessions").json()["sessions"]
        assert session not in [one["session_id"] for one in listed]
    again = http.post("/training/start", json=start_body(session))
    assert again.status_code == 409
    assert "was cleaned up" in again.json()["detail"]


def test_sessions_are_counted_and_paged_without_those_that_were_cleaned_up(
    bars: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    store_bars(folder)
    with app_of(folder, tmp_path / "models") as http:
        table = TableClient(http)
        ids = [table.start(start_body(f"one-{number}", epochs=1)) for number in range(5)]
        for one in ids:
            table.end(one)
        for one in ids[2:]:
            assert http.delete(f"/training/sessions/{one}").status_code == 200
        whole = http.get("/training/sessions").json()
        assert (whole["total_sessions"], whole["cursor"]) == (2, None)
        assert [one["session_id"] for one in whole["sessions"]] == [ids[1], ids[0]]
        first = http.get("/training/sessions", params={"limit": 1}).json()
        assert [one["session_id"] for one in first["sessions"]] == [ids[1]]
        asked = {"limit": 1, "cursor": first["cursor"]}
        second = http.get("/training/sessions", params=asked).json()
        assert [one["session_id"] for one in second["sessions"]] == [ids[0]]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body, half: body["model_configuration"].update(symbols=[half]),
        lambda body, half: body["model_configuration"].update(timeframes=[half]),
        lambda body, half: body["model_configuration"].update(strategy_config=f"name: {half}\n"),
        lambda body, half: body["model_configuration"]["strategy_config"].update(name=half),
        lambda body, half: body["model_configuration"]["strategy_config"].update({half: 1}),
        lambda body, half: body["model_configuration"]["strategy_config"].update(description=half),
        lambda body, half: body.update(
            model_configuration={**body["model_configuration"], "symbols": None},
            data_configuration={"symbols": [half]},
        ),
        lambda body, half: body["data_configuration"].update(start_date=half),
        lambda body, half: body["data_configuration"].update(what_to_show=half),
        lambda body, half: body["training_configuration"].update(optimizer=half),
        lambda body, half: body["training_configuration"].update(resume_from=half),
    ],
)
def test_half_of_a_surrogate_pair_is_422_wherever_it_stands(http: httpx.Client, spoil: Any) -> None:
    body = start_body()
    for name in ("data_configuration", "training_configuration"):
        body.setdefault(name, {})
    spoil(body, "A\ud800")
    head = {"Content-Type": "application/json"}
    answer = http.post("/training/start", content=json.dumps(body).encode(), headers=head)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/training/stop", {"session_id": "A\ud800"}),
        ("/training/evaluate", {"model_path": "A\ud800"}),
        ("/training/evaluate", {"model_path": "A", "metrics": ["A\ud800"]}),
        ("/training/evaluate", {"model_path": "A", "data_config": {"symbols": ["A\ud800"]}}),
    ],
)
def test_half_of_a_surrogate_pair_is_refused_by_the_others_too(
    http: httpx.Client, path: str, body: Any
) -> None:
    head = {"Content-Type": "application/json"}
    answer = http.post(path, content=json.dumps(body).encode(), headers=head)
    assert answer.status_code in (404, 422), answer.text
    assert answer.json()["detail"]


def test_no_more_sessions_than_the_limit_and_the_same_id_is_no_more(
    bars: Path, tmp_path: Path
) -> None:
    with app_of(bars, tmp_path / "models", limits=HostLimits(max_sessions=2)) as http:
        table = TableClient(http)
        bodies = [start_body(f"full-{number}", **ENDLESS) for number in range(3)]
        for body in bodies[:2]:
            table.start(body)
        refused = http.post("/training/start", json=bodies[2])
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert table.start(bodies[0]) == "full-0"
        table.ask("DELETE", "/training/sessions/full-0", "status")
        assert table.start(bodies[2]) == "full-2"


def test_the_start_of_a_session_that_has_ended_takes_no_place(bars: Path, tmp_path: Path) -> None:
    """Its client asks for what came of it: nothing begins, however full the host is."""
    with app_of(bars, tmp_path / "models", limits=HostLimits(max_sessions=1)) as http:
        table = TableClient(http)
        first = start_body("ended", epochs=1)
        assert table.end(table.start(first))["status"] == "completed"
        table.start(start_body("running", **ENDLESS))
        assert http.post("/training/start", json=start_body("more")).status_code == 503
        assert table.start(first) == "ended"
        assert table.status("ended")["status"] == "completed"
        # Another training under its id is none that has ended.
        assert http.post("/training/start", json=start_body("ended", epochs=2)).status_code == 409


def test_a_strategy_of_the_hosts_folder_is_asked_for_by_name(bars: Path, tmp_path: Path) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    strategy_file(folder, epochs=1).rename(folder / "mine.yaml")
    (tmp_path / "outside.yaml").write_text((folder / "mine.yaml").read_text())
    with app_of(bars, tmp_path / "models", strategies=folder) as http:
        for name in ("mine", "mine.yaml", "/home/somebody/strategies/mine.yaml"):
            session = TableClient(http).start(wrong(strategy_config=name))
            assert TableClient(http).end(session)["status"] == "completed"
        for name in ("../outside.yaml", str(tmp_path / "outside.yaml"), "outside", "..", ""):
            refused = http.post("/training/start", json=wrong(strategy_config=name))
            assert refused.status_code == 422


def test_events_tell_every_epoch_once_and_go_on_behind_a_number(table: TableClient) -> None:
    session = table.start(start_body(epochs=5))
    path = f"/training/sessions/{session}/events"
    with table.http.stream("GET", path) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        told = list(events_of(response))
    numbers = [number for number, _, _ in told]
    assert numbers == sorted(set(numbers))
    epochs = [content["epoch"] for _, kind, content in told if kind == "metric"]
    assert epochs == [1, 2, 3, 4, 5]
    assert [content["session_status"] for _, kind, content in told if kind == "state"][-1] == (
        "completed"
    )
    middle = next(number for number, kind, _ in told if kind == "metric")
    with table.http.stream("GET", path, headers={"Last-Event-ID": str(middle)}) as response:
        assert [number for number, _, _ in events_of(response)] == [
            number for number in numbers if number > middle
        ]
    last = table.http.get(path, headers={"Last-Event-ID": str(numbers[-1])})
    assert (last.status_code, last.content) == (204, b"")


def test_a_status_does_not_grow_and_metrics_come_by_a_cursor(table: TableClient) -> None:
    bodies = [start_body(None, epochs=epochs, early_stopping=None) for epochs in (1, 40)]
    short, long = map(table.start, bodies)
    sizes = []
    for session in (short, long):
        table.end(session)
        answer = table.http.get(f"/training/status/{session}").json()
        answer["result"] = None
        sizes.append(len(json.dumps(answer)))
    assert abs(sizes[1] - sizes[0]) < 300
    epochs: list[int] = []
    cursor = 0
    while True:
        page = table.http.get(
            f"/training/sessions/{long}/metrics", params={"cursor": cursor, "limit": 7}
        ).json()
        if not page["metrics"]:
            break
        epochs += [one["epoch"] for one in page["metrics"]]
        cursor = page["cursor"]
    assert epochs == list(range(1, 41))


def test_a_model_is_handed_over_with_the_checksum_of_its_bytes(
    table: TableClient, tmp_path: Path
) -> None:
    session = table.start(start_body())
    table.end(session)
    response = table.http.get(f"/training/sessions/{session}/model")
    assert response.headers["content-type"] == "application/x-tar"
    sum_of = base64.b64encode(hashlib.sha256(response.content).digest()).decode()
    assert response.headers["repr-digest"] == f"sha-256=:{sum_of}:"
    result = table.http.get(f"/training/status/{session}").json()["result"]
    folder = Path(result["artifacts"]["model_path"])
    with tarfile.open(fileobj=io.BytesIO(response.content)) as tar:
        packed = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
    assert packed == {path.name: path.read_bytes() for path in folder.iterdir()}
    again = table.http.get(f"/training/sessions/{session}/model")
    assert again.content == response.content


def test_a_model_is_taken_from_the_models_folder_alone(table: TableClient, tmp_path: Path) -> None:
    session = table.start(start_body())
    table.end(session)
    result = table.http.get(f"/training/status/{session}").json()["result"]
    folder = Path(result["artifacts"]["model_path"])
    secret = tmp_path / "secret"
    secret.write_text("not a model")
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(secret)
    content = table.http.get(f"/training/sessions/{session}/model").content
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert "config.json" not in tar.getnames()
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    assert table.http.get(f"/training/sessions/{session}/model").status_code == 404


def test_a_failure_says_what_local_training_says(table: TableClient) -> None:
    body = start_body()
    body["data_configuration"] = {"start_date": "2018-01-01", "end_date": "2018-02-01"}
    ended = table.end(table.start(body))
    assert ended["status"] == "failed"
    assert "AAPL" in ended["error"]
    unknown = start_body()
    unknown["model_configuration"]["symbols"] = ["NOPE"]
    assert "NOPE" in table.end(table.start(unknown))["error"]


def test_the_root_says_what_there_is_and_openapi_matches_the_answers(table: TableClient) -> None:
    http = table.http
    schema = http.get("/openapi.json").json()
    assert http.get("/").json()["endpoints"] == sorted(schema["paths"])
    session = table.start(start_body("seen-1"))
    table.end(session)
    known = "/training/sessions/{session_id}"
    tried = set()
    for method, path, named, body in (
        ("get", "/", "/", None),
        ("get", "/health", "/health", None),
        ("get", "/health/detailed", "/health/detailed", None),
        ("post", "/training/start", "/training/start", start_body("seen-1")),
        ("post", "/training/start", "/training/start", {}),
        ("post", "/training/start", "/training/start", start_body("seen-1", epochs=9)),
        ("post", "/training/stop", "/training/stop", {"session_id": "seen-1"}),
        ("get", "/training/status/seen-1", "/training/status/{session_id}", None),
        ("get", "/training/status/none", "/training/status/{session_id}", None),
        ("get", "/training/sessions", "/training/sessions", None),
        ("get", "/training/sessions/seen-1/metrics", f"{known}/metrics", None),
        ("get", "/training/sessions/none/events", f"{known}/events", None),
        ("get", "/training/sessions/none/model", f"{known}/model", None),
        ("post", "/training/evaluate", "/training/evaluate", {"model_path": "none"}),
        ("post", "/training/evaluate", "/training/evaluate", {}),
        ("delete", "/training/sessions/seen-1", known, None),
    ):
        response = http.request(method, path, json=body)
        tried.add(named)
        said = schema["paths"][named][method]["responses"][str(response.status_code)]
        reference = said["content"]["application/json"]["schema"]["$ref"]
        jsonschema.Draft202012Validator(
            {"$ref": reference, "components": schema["components"]}
        ).validate(response.json())
    assert tried == set(schema["paths"])


def test_sessions_are_operations_of_the_registry(table: TableClient, bars: Path) -> None:
    from ktrdr_core.operations import OperationsService

    session = table.start(start_body("seen-by-all", **ENDLESS))
    operations = OperationsService()
    record = operations.get(session)
    assert (record.type, record.parameters["strategy_name"]) == ("training", "momentum_mlp")
    operations.cancel(session, "from elsewhere")
    until(lambda: table.status(session)["status"] == "stopped")
    assert "from elsewhere" in table.status(session)["error"]
