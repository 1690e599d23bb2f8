"""What type checkers must let pass, in strict mode."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import numpy as np
from fastapi import FastAPI

from ktrdr_core import (
    AsyncServiceAdapter,
    Bars,
    CancellationToken,
    Client,
    DataManager,
    HostServiceConfig,
    Operation,
    OperationsService,
    ProgressState,
    ServiceOrchestrator,
    TrainingManager,
    current_operation,
    errors,
)
from ktrdr_core.fastapi import error_responses, install_error_handlers, operations_router


class Anything:
    """A token of another library."""

    def is_cancelled(self) -> bool:
        return False


class Words(ServiceOrchestrator):
    def _get_service_name(self) -> str:
        return "Words"

    def _get_env_var_prefix(self) -> str:
        return "WORDS"

    async def count(self, texts: list[str], longest: int = 100) -> int:
        here = current_operation()
        if here is not None:
            here.add_metric({"texts": len(texts)})
        self.update_operation_progress(1, "Counted")
        return sum(len(text) <= longest for text in texts)


async def loads(data: DataManager) -> None:
    states: list[ProgressState] = []
    first: Bars = await data.load_data("AAPL", "1d", "2024-01-01", date(2024, 2, 1), mode="full")
    second: Bars = await data.load_data(
        "AAPL",
        "1d",
        start_date=datetime(2024, 1, 1, tzinfo=UTC),
        cancellation_token=Anything(),
        progress_callback=states.append,
        operation_id="mine",
    )
    closes = np.diff(first.close)
    print(closes.mean(), len(second), second.time[-1])
    operation = data.load_data("AAPL", "1d", progress_callback=lambda state: print(state.message))
    async for state in operation.events():
        print(state.percentage, state.estimated_remaining)
    try:
        bars = operation.result(timeout=5)
    except errors.NoDataError as error:
        print(error.code, error.context)
    else:
        print(bars.close)


async def trains(training: TrainingManager) -> None:
    result = await training.train_multi_symbol_strategy("words.yaml", validation_split=0.2)
    print(result["test_metrics"]["test_accuracy"])


async def runs(words: Words, token: CancellationToken) -> int:
    plain: Operation[int] = words.start_operation("Count", "count", words.count, ["a"], longest=3)
    timed: Operation[int] = words.start_operation(
        "Count", "count", words.count, ["a"], 3, timeout=5, cancellation_token=token, total_steps=1
    )
    # Options of ours beside keywords of the function's: the latter go into a partial.
    both: Operation[int] = words.start_operation(
        "Count", "count", partial(words.count, ["a"], longest=3), total_steps=1
    )
    total = await plain + await timed + await both
    total += await words.execute_with_progress(words.count(["a"]), total_steps=1)
    total += await words.execute_with_cancellation(words.count(["a"]), token)
    return total + words.run_sync_operation("Count", "count", words.count, ["a"], longest=3)


async def asks(client: Client) -> None:
    answer = await client.get("/x", params={"a": 1}, timeout=3)
    print(answer.status_code, answer.json())
    async with AsyncServiceAdapter(
        "words", HostServiceConfig(base_url="http://localhost")
    ) as words:
        print(await words.call_get("/x"))


def looks() -> None:
    page = OperationsService().list(status="running", limit=5)
    for record in page.records:
        print(record.id, record.progress.percentage, record.parameters.get("symbol"))


def serves(data: DataManager) -> FastAPI:
    app = FastAPI()
    install_error_handlers(app, validation=False)
    app.include_router(operations_router(allowed_hosts=["words.example"]), prefix="/api/v1")

    @app.get("/bars/{symbol}", responses=error_responses(404, 503))
    async def count(symbol: str) -> int:
        return len(await data.load_data(symbol, "1d"))

    print(count)
    return app


def main(work: Callable[[], Awaitable[Any]]) -> None:
    looks()
    with DataManager(env={}) as data:
        asyncio.run(loads(data))
    print(work)
