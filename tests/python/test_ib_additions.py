"""What our IB host service adds to its contract: events, cancels, limits, Arrow, OpenAPI, logs."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from asgi import posted
from ktrdr_core.data import SourceAnswer
from ktrdr_core.hosts.ib.app import create_app
from ktrdr_core.hosts.ib.vendor import HostLimits
from served_days import MONTH, PRICES, Days, serving

if TYPE_CHECKING:
    import httpx


def test_the_root_says_what_there_is_and_openapi_matches_the_answers() -> None:
    async def main() -> None:
        async with serving(Days()) as http:
            about = (await http.get("/")).json()
            schema = (await http.get("/openapi.json")).json()
            assert about["service"] == "ib-connector"
            assert about["endpoints"] == sorted(schema["paths"])
            tried = set()
            for method, path, named, body in (
                ("get", "/", "/", None),
                ("get", "/health", "/health", None),
                ("get", "/health/detailed", "/health/detailed", None),
                ("get", "/metrics", "/metrics", None),
                ("post", "/data/historical", "/data/historical", MONTH),
                ("post", "/data/historical", "/data/historical", {**MONTH, "symbol": "NOPE"}),
                ("post", "/data/validate", "/data/validate", {"symbol": "AAPL"}),
                ("post", "/data/validate", "/data/validate", {"symbol": "NOPE"}),
                ("get", "/data/symbol-info/AAPL", "/data/symbol-info/{symbol}", None),
                (
                    "get",
                    "/data/head-timestamp?symbol=AAPL&timeframe=1d",
                    "/data/head-timestamp",
                    None,
                ),
                ("get", "/warnings?operation_id=none", "/warnings", None),
                ("delete", "/operations/none", "/operations/{operation_id}", None),
                ("get", "/operations/none/events", "/operations/{operation_id}/events", None),
            ):
                response = await http.request(method, path, json=body)
                tried.add(named)
                said = schema["paths"][named][method]["responses"][str(response.status_code)]
                if "application/json" not in said["content"]:
                    assert response.headers["content-type"].split(";")[0] in said["content"]
                    continue
                reference = said["content"]["application/json"]["schema"]["$ref"]
                jsonschema.Draft202012Validator(
                    {"$ref": reference, "components": schema["components"]}
                ).validate(response.json())
            assert tried == set(schema["paths"])

    asyncio.run(main())


class Warns(Days):
    """Has something to say whatever it is asked."""

    def validate_symbol(self, symbol: str, timeframe: str) -> Any:
        self.warn("the vendor has moved")
        return super().validate_symbol(symbol, timeframe)

    async def fetch(self, *asked: Any) -> Any:
        self.warn("the vendor lets everybody wait today")
        return await super().fetch(*asked)


def test_what_the_source_warns_of_stands_in_answers_events_and_while_it_works() -> None:
    says = ["the vendor has moved", "the vendor lets everybody wait today"]

    async def main() -> None:
        source = Warns()
        source.hold = asyncio.Event()
        async with serving(source) as http:
            whose = {"x-operation-id": "load-7", "accept": "application/vnd.apache.arrow.stream"}
            asked = {**MONTH, "operation_id": "request-1"}
            request = asyncio.create_task(http.post("/data/historical", json=asked, headers=whose))
            await asyncio.wait_for(source.asked.wait(), 30)
            assert await told(http, "load-7") == says
            assert await told(http, "another") == []
            source.hold.set()
            answer = (await request).json()
            assert answer["rows"] == 31
            assert answer["warnings"] == says
            assert await told(http, "load-7") == []
            events = await read_events(http, "request-1")
            assert [each["warning"] for each in events if "warning" in each] == says
            known = (await http.post("/data/validate", json={"symbol": "BRK B"})).json()
            assert known["warnings"] == says[:1]
        async with serving(Days()) as http:
            for answer in (
                await http.post("/data/historical", json=MONTH),
                await http.post("/data/validate", json={"symbol": "AAPL"}),
                await http.get("/data/head-timestamp?symbol=AAPL&timeframe=1d"),
            ):
                assert "warnings" not in answer.json()

    async def told(http: httpx.AsyncClient, operation_id: str) -> Any:
        answer = await http.get("/warnings", params={"operation_id": operation_id})
        return answer.json()["warnings"]

    asyncio.run(main())


def test_a_client_that_leaves_stops_the_source() -> None:
    async def main() -> None:
        source = Days()
        source.hold = asyncio.Event()
        app = create_app(source)
        gone = asyncio.Event()
        scope, whole = posted("/data/historical", json.dumps(MONTH).encode())
        messages = [whole]
        answered: list[Any] = []

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            answered.append(message)

        request = asyncio.create_task(app(scope, receive, send))
        await asyncio.wait_for(source.asked.wait(), 30)
        gone.set()
        await asyncio.wait_for(source.cancelled.wait(), 30)
        await asyncio.wait_for(request, 30)
        assert answered[0]["status"] == 499
        assert app.state.traffic.cancelled_requests == 1

    asyncio.run(main())


def test_delete_stops_a_request_reaches_the_source_and_gives_what_is_there() -> None:
    async def main() -> None:
        source = Days()
        source.hold = asyncio.Event()
        async with serving(source) as http:
            asked = {**MONTH, "operation_id": "load-1"}
            request = asyncio.create_task(http.post("/data/historical", json=asked))
            events = asyncio.create_task(read_events(http, "load-1", source.asked))
            await asyncio.wait_for(source.asked.wait(), 30)
            twice = (await http.post("/data/historical", json=asked)).json()
            assert (twice["success"], "under way already" in twice["error"]) == (False, True)
            # The first part has come when the second is asked for.
            while (await first_event(http, "load-1"))["part"] < 1:
                pass
            stopped = (await http.delete("/operations/load-1")).json()
            assert stopped == {
                "success": True,
                "operation_id": "load-1",
                "status": "cancelled",
                "error": None,
            }
            answer = (await request).json()
            assert (answer["success"], answer["rows"]) == (True, 10)
            assert answer["error"] == "partial: cancelled by DELETE"
            await asyncio.wait_for(source.cancelled.wait(), 30)
            told = await events
            assert [event["rows"] for event in told if "part" in event] == [10]
            assert told[-1]["status"] == "cancelled"
            assert (await http.delete("/operations/load-1")).json()[
                "error"
            ] == "it has ended already"
            assert (await http.delete("/operations/none")).status_code == 404
            assert (await http.get("/operations/none/events")).status_code == 404
            source.hold.set()
            again = (await http.post("/data/historical", json=asked)).json()
            assert again["rows"] == 31
            told = await read_events(http, "load-1")
            assert [event.get("part") for event in told] == [1, 2, 3, 4, None]
            assert [event["percentage"] for event in told[:4]] == [25.0, 50.0, 75.0, 100.0]
            assert told[-1] == {"status": "completed", "rows": 31, "error": None}
            rest = await read_events(http, "load-1", after=4)
            assert rest == told[4:]

    asyncio.run(main())


async def read_events(
    http: httpx.AsyncClient, name: str, begun: asyncio.Event | None = None, after: int = 0
) -> list[dict[str, Any]]:
    if begun is not None:
        await begun.wait()
    response = await http.get(f"/operations/{name}/events", headers={"Last-Event-ID": str(after)})
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in response.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


async def first_event(http: httpx.AsyncClient, name: str) -> dict[str, Any]:
    """Ask the app's own book: a stream of ASGITransport comes whole."""
    app: Any = http.app  # type: ignore[attr-defined]
    running = app.state.requests.find(name)
    await asyncio.sleep(0)
    events: list[dict[str, Any]] = running._events
    return events[0] if events else {"part": 0}


def test_the_end_of_the_service_gives_what_is_there() -> None:
    async def main() -> None:
        source = Days()
        source.hold = asyncio.Event()
        async with serving(source) as http:
            request = asyncio.create_task(
                http.post("/data/historical", json={**MONTH, "operation_id": "one"})
            )
            await asyncio.wait_for(source.asked.wait(), 30)
            while (await first_event(http, "one"))["part"] < 1:
                pass
            http.app.state.stopping()  # type: ignore[attr-defined]
            answer = (await request).json()
            assert (answer["success"], answer["rows"]) == (True, 10)
            assert answer["error"] == "partial: the service is shutting down"
            late = (await http.post("/data/historical", json=MONTH)).json()
            assert (late["success"], late["error"]) == (False, "the service is shutting down")

    asyncio.run(main())


def test_ranges_and_requests_at_once_have_limits() -> None:
    async def main() -> None:
        source = Days()
        source.hold = asyncio.Event()
        async with serving(source, limits=HostLimits(max_requests=1, max_parts=5)) as http:
            long = {**MONTH, "end": "2024-12-31"}
            answer = (await http.post("/data/historical", json=long)).json()
            assert "ask for at most 50 days at once" in answer["error"]
            # One is worked on, one waits.
            two = [asyncio.create_task(http.post("/data/historical", json=MONTH)) for _ in "ab"]
            await asyncio.wait_for(source.asked.wait(), 30)
            answer = (await http.post("/data/historical", json=MONTH)).json()
            assert (answer["success"], "busy" in answer["error"]) == (False, True)
            source.hold.set()
            assert [(await each).json()["rows"] for each in two] == [31, 31]

    asyncio.run(main())


def test_rows_without_a_price_and_half_answers_are_told_as_partial() -> None:
    class Half(Days):
        async def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
            bars = await super().fetch(symbol, timeframe, start, end)
            bars["open"] = bars["open"].copy()
            bars["open"][0] = float("nan")
            return SourceAnswer(bars, partial="the vendor stopped")

    async def main() -> None:
        async with serving(Half()) as http:
            answer = (
                await http.post("/data/historical", json={**MONTH, "end": "2024-01-05"})
            ).json()
            assert (answer["success"], answer["rows"]) == (True, 3)
            assert answer["error"].startswith("partial: the vendor stopped; 2024-01-01T00:00:00Z")
            assert "null" not in answer["data"]
            assert "NaN" not in answer["data"]

    asyncio.run(main())


def test_a_source_that_fails_after_a_part_leaves_what_came_and_one_that_is_down_is_told() -> None:
    class Failing(Days):
        async def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
            if start.day != 1:
                raise ConnectionResetError("the line is dead")
            return await super().fetch(symbol, timeframe, start, end)

    async def main() -> None:
        async with serving(Failing()) as http:
            answer = (await http.post("/data/historical", json=MONTH)).json()
            assert (answer["success"], answer["rows"]) == (True, 10)
            assert answer["error"].startswith("partial: ")
            assert "the line is dead" in answer["error"]
            none = (
                await http.post("/data/historical", json={**MONTH, "start": "2024-01-05"})
            ).json()
            assert (none["success"], none["data"], none["rows"]) == (False, None, 0)
            status = (await http.get("/health")).json()
            assert status["ib_status"] == {"connected": False, "connection_count": 0}
            details = (await http.get("/health/detailed")).json()
            assert details["error_count"] == 1
            assert "the line is dead" in details["last_error"]

    asyncio.run(main())


def test_bars_that_are_still_being_made_are_not_given() -> None:
    async def main() -> None:
        async with serving(Days()) as http:
            today = datetime.now(UTC).date()
            asked = {**MONTH, "start": str(today - timedelta(days=3)), "end": "2100-01-01"}
            answer = (await http.post("/data/historical", json=asked)).json()
            stamps = list(json.loads(answer["data"]))
            assert stamps[-1][:10] == str(today - timedelta(days=1))

    asyncio.run(main())


def test_bars_come_as_arrow_where_that_is_asked_for() -> None:
    pa = pytest.importorskip("pyarrow")

    async def main() -> None:
        async with serving(Days()) as http:
            accept = {"Accept": "application/vnd.apache.arrow.stream"}
            response = await http.post("/data/historical", json=MONTH, headers=accept)
            assert response.headers["content-type"] == accept["Accept"]
            table = pa.ipc.open_stream(response.content).read_all()
            assert table.column_names == ["timestamp", *PRICES]
            assert table.num_rows == 31
            failed = {**MONTH, "symbol": "NOPE"}
            response = await http.post("/data/historical", json=failed, headers=accept)
            assert response.json()["success"] is False

    asyncio.run(main())


def test_each_request_is_a_line_of_log_with_its_facts(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving(Days()) as http:
            await http.post("/data/historical", json={**MONTH, "operation_id": "one"})

    with caplog.at_level("INFO", "ktrdr_core.hosts.ib"):
        asyncio.run(main())
    (record,) = [record for record in caplog.records if hasattr(record, "facts")]
    facts = record.facts
    assert (facts["symbol"], facts["rows"], facts["status"]) == ("AAPL", 31, "completed")
    assert facts["operation_id"] == "one"
    assert "rows='31'" in record.getMessage()
