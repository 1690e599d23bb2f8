"""The demonstration: real bars in, a trained model out."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .._extras import install_extra
from ..data import DataManager, IbGatewaySource
from ..data.ib_gateway.when_asked import chooses_gateway
from ..errors import FeatureNotAvailableError
from ..hosts.child import HostProcess
from ..training import TrainingManager
from ..training.report import save_report, short_path, training_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..bars import Bars
    from .session import Session

SYMBOLS = ("AAPL", "MSFT")
#: The part of the replay's bars the demonstration asks for; the last day is included.
START, END = "2000-03-01", "2013-03-01"


class Loaded(NamedTuple):
    """What one round of loading came to."""

    bars: dict[str, int]
    requests: int
    seconds: float


def strategy_path() -> Path:
    """Find the demonstration's strategy: in the installed package, or in the checkout it runs from.

    Raises
    ------
    FeatureNotAvailableError
        When it is in neither.
    """
    name = Path("examples", "strategies", "momentum_mlp.yaml")
    package = Path(__file__).parents[1]
    for place in (package / name, package.parents[1] / name):
        if place.is_file():
            return place
    raise FeatureNotAvailableError(
        f"this installation lacks the strategy of the demo, {package / name}"
    )


def check_installed() -> None:
    """Raise FeatureNotAvailableError unless everything that the extra ``demo`` brings is there."""
    needed = ("fastapi", "uvicorn", "bokeh_sampledata", "matplotlib", "torch")
    lacking = [name for name in needed if find_spec(name) is None]
    if lacking:
        raise FeatureNotAvailableError(
            f"the demo needs {', '.join(lacking)}: {install_extra('demo')}"
        )


class Demo:
    """One run of it.

    Parameters
    ----------
    session : Session
        Where it prints, and how operations are shown.
    folder : path
        Where the database, the models and the report go; made if it is not there.
    delay : float
        Seconds each answer of the replay service takes.
    """

    def __init__(self, session: Session, folder: Path, *, delay: float) -> None:
        self._session = session
        self._folder = folder.resolve()
        self._delay = delay
        self._gateway: IbGatewaySource | None = None

    def run(self) -> None:
        """Do the five steps."""
        check_installed()
        strategy = strategy_path()
        began = time.monotonic()
        with self._source() as (of, data):
            started = time.monotonic() - began
            self._session.say(of)
            first, second = self._load(data)
            result, trained = self._train(data, strategy)
            database = data.database_path
        self._report(result, first, second, {"start": started, "train": trained}, database)

    @contextmanager
    def _source(self) -> Iterator[tuple[str, DataManager]]:
        """Give where the bars come from, in words, and a manager that loads them: of a replay, unless settings choose a gateway."""
        if chooses_gateway(None, None, os.environ):
            with IbGatewaySource() as gateway, DataManager(self._folder, source=gateway) as data:
                self._title(1, "a TWS or IB Gateway, as USE_IB_HOST_SERVICE says")
                self._gateway = gateway
                yield f"at {gateway.address}", data
            return
        self._title(1, f"a replay IB host service; each answer takes {1000 * self._delay:.0f} ms")
        with HostProcess(delay=self._delay) as host, DataManager(self._folder, host.url) as data:
            yield f"listening at {host.url}", data

    def _requests(self, data: DataManager) -> int:
        return self._gateway.health.requests if self._gateway else data.pool_stats()["requests"]

    def _load(self, data: DataManager) -> tuple[Loaded, Loaded]:
        self._title(
            2, f"loading {' and '.join(SYMBOLS)}, daily, {START} to {END}, at the same time"
        )
        first = self._round(data)
        self._title(3, "loading them again")
        second = self._round(data)
        if second.requests == 0:
            self._session.say("nothing was asked of the service: every bar came from the database")
        return first, second

    def _round(self, data: DataManager) -> Loaded:
        began, before = time.monotonic(), self._requests(data)
        loads = {
            f"{symbol} 1d": data.load_data(symbol, "1d", START, END, "full") for symbol in SYMBOLS
        }
        self._session.follow(loads)
        bars: dict[str, Bars] = {label: load.result() for label, load in loads.items()}
        requests = self._requests(data) - before
        loaded = Loaded(
            {label: len(one) for label, one in bars.items()}, requests, time.monotonic() - began
        )
        counts = ", ".join(f"{label} {count:,} bars" for label, count in loaded.bars.items())
        self._session.say(f"{counts}; {requests} requests, {loaded.seconds:.2f} s")
        return loaded

    def _train(self, data: DataManager, strategy: Path) -> tuple[dict[str, Any], float]:
        self._title(4, f"training {strategy.stem} on both, in C++ with LibTorch")
        began = time.monotonic()
        with TrainingManager(data, self._folder / "models") as manager:
            training = manager.train_multi_symbol_strategy(strategy, SYMBOLS, ["1d"], START, END)
            self._session.follow({"training": training})
            return training.result(), time.monotonic() - began

    def _report(
        self,
        result: dict[str, Any],
        first: Loaded,
        second: Loaded,
        seconds: dict[str, float],
        database: Path,
    ) -> None:
        self._title(5, "report")
        picture = save_report(result, self._folder / "report.png")
        say = self._session.say
        say(f"bars       {sum(first.bars.values()):,} in {first.requests} requests")
        say(f"again      {sum(second.bars.values()):,} in {second.requests} requests")
        for line in training_lines(result):
            say(line)
        say(f"database   {short_path(database)}")
        say(f"pictures   {short_path(picture)}")
        say(
            f"seconds    service {seconds['start']:.1f}, load {first.seconds:.1f}, "
            f"again {second.seconds:.2f}, training {seconds['train']:.1f}"
        )
        say()
        say("The same in Python, after `from ktrdr_core import DataManager, TrainingManager`:")
        say()
        for line in self._python():
            say(f"    {line}")
        say()
        say(
            "The prices are real, the strategy is an example: that it earns anything is not claimed."
        )
        self._session.answer(
            {
                "first_load": first._asdict(),
                "second_load": second._asdict(),
                "seconds": {**seconds, "load": first.seconds, "load_again": second.seconds},
                "training": result,
                "database": str(database),
                "report": str(picture),
            }
        )

    def _python(self) -> tuple[str, str, str]:
        folder, strategy = short_path(self._folder), short_path(strategy_path())
        return (
            f'data = DataManager("{folder}")',
            f'bars = data.load_data("{SYMBOLS[0]}", "1d").result()',
            f'result = TrainingManager(data, "{folder}/models")'
            f'.train_multi_symbol_strategy("{strategy}").result()',
        )

    def _title(self, number: int, text: str) -> None:
        if number > 1:
            self._session.say()
        self._session.say(f"{number}/5 {text}")
