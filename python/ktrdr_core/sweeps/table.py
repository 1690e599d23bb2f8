"""What a sweep has found: one row a run."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from .._tables import html_row, text_table
from ..errors import InvalidArgumentError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

# By what a run may be chosen, and whether more of it is better.
_CHOICES = {"val_accuracy": True, "val_loss": False}


class SweepResult:
    """The runs of a sweep in their order; iterating gives a dict each.

    A row has ``run`` (its number from 1), ``settings``, ``status``, ``metrics`` (``val_accuracy``, ``val_loss``,
    ``train_accuracy``, ``train_loss``, ``epochs``, ``best_epoch``, ``test_accuracy``, ``test_loss``, ``class_prior``),
    ``error`` (``code`` and ``message``, or None), ``model_path`` and ``operation_id``. All of it is plain JSON.
    Of a walk forward `pooled` says what the windows come to together.
    """

    def __init__(
        self, rows: list[dict[str, Any]], pooled: list[dict[str, Any]] | None = None
    ) -> None:
        self._rows = rows
        self._pooled = pooled or []

    @classmethod
    def of(cls, plain: dict[str, Any]) -> SweepResult:
        """Make it of what an operation's record has."""
        return cls(list(plain["runs"]), list(plain.get("pooled", ())))

    @property
    def pooled(self) -> list[dict[str, Any]]:
        """The windows of a walk forward judged as one test, one dict for each of the strategy's settings; else empty.

        Each has ``settings`` (without dates), ``windows`` and how many of them were ``judged``, the mean ``val_accuracy``,
        ``rows``, ``test_accuracy``, ``class_prior`` and ``confidence``, as a training's result has it: the interval, and its
        sentence in ``verdict``. ``error`` says why there is no judgement: tests that overlap, a host that knows no
        ``test_from``.
        """
        return self._pooled

    @property
    def has_windows(self) -> bool:
        """Whether some settings ran on several windows over time."""
        return any(one["windows"] > 1 for one in self._pooled)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SweepResult):
            return NotImplemented
        return self._rows == other._rows and self._pooled == other._pooled

    # As a list's: its rows are dicts.
    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        """Say how many runs there are."""
        return len(self._rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Give the rows, in the order of the grid."""
        return iter(self._rows)

    def to_json(self) -> dict[str, Any]:
        """Give all of it as plain JSON: ``{"runs": [...], "pooled": [...]}``."""
        return {"runs": self._rows, "pooled": self._pooled}

    def best(self, by: str = "val_accuracy") -> dict[str, Any]:
        """Give the row of the run that did best on the validation part; the first of equals.

        Parameters
        ----------
        by : str
            ``val_accuracy`` or ``val_loss``.

        Raises
        ------
        InvalidArgumentError
            For anything else. Above all not by what the test part says: who chooses among runs by it has used it to
            choose, and its accuracy says nothing any more of bars that nobody has seen. And for a walk forward, whose
            windows are times and no choice: see `pooled`. Runs that share one window are compared.
        NotFoundError
            When no run completed.
        """
        if by not in _CHOICES:
            why = (
                "choosing among runs by the test part is a leak: its accuracy is then the luckiest of "
                f"{len(self._rows)}, and no measure of new bars; choose by "
                if by.startswith("test")
                else "runs are chosen by "
            )
            raise InvalidArgumentError(
                f"by={by!r}: {why}{' or '.join(_CHOICES)}", context={"field": "by"}
            )
        if self.has_windows:
            raise InvalidArgumentError(
                "the runs are windows over time, and that one was easier than another is no choice: `pooled` says what they "
                "come to together, and its val_accuracy which settings to take",
                context={"field": "by"},
            )
        done = [row for row in self._rows if row["metrics"].get(by) is not None]
        if not done:
            raise NotFoundError(f"none of {len(self._rows)} runs has a {by}: see the errors")
        sign = -1 if _CHOICES[by] else 1
        return min(done, key=lambda row: float(sign * row["metrics"][by]))

    def flat(self) -> list[dict[str, Any]]:
        """Give each run as one flat dict: number, settings by key, status, metrics, the error's message."""
        return [
            {
                "run": row["run"],
                **row["settings"],
                "status": row["status"],
                **row["metrics"],
                "error": row["error"] and row["error"]["message"],
            }
            for row in self._rows
        ]

    def to_pandas(self) -> pd.DataFrame:
        """Give it as a DataFrame, a row a run; what a run has not is NaN or None.

        Raises
        ------
        FeatureNotAvailableError
            When pandas is not installed.
        """
        from .._extras import needed_by

        with needed_by("to_pandas()"):
            import pandas as pd
        return pd.DataFrame(self.flat()).set_index("run")

    def lines(self) -> list[str]:
        """Write it as a table of text: settings, status and what the validation part says.

        Of a walk forward what each window's test says, and behind it a line for all of them.
        """
        return [*text_table(self._cells()), *map(pooled_line, self._pooled)]

    def _cells(self) -> list[list[str]]:
        keys = list(dict.fromkeys(key for row in self._rows for key in row["settings"]))
        figures = ("test_accuracy", "class_prior") if self._pooled else ("val_accuracy", "val_loss")
        head = ["run", *keys, "status", *figures, "error"]
        rows = [
            [
                str(row["run"]),
                *(str(row["settings"].get(key, "")) for key in keys),
                row["status"],
                *(_figure(row["metrics"].get(name)) for name in figures),
                row["error"]["message"] if row["error"] else "",
            ]
            for row in self._rows
        ]
        return [head, *rows]

    def __repr__(self) -> str:
        """Say how many runs came to what."""
        done = sum(row["status"] == "completed" for row in self._rows)
        return f"<SweepResult {done} of {len(self._rows)} runs completed>"

    def _repr_html_(self) -> str:
        head, *body = self._cells()
        rows = [html_row("th", head), *(html_row("td", row) for row in body)]
        pooled = "".join(f"<p>{escape(pooled_line(one))}</p>" for one in self._pooled)
        return f"<table>{''.join(rows)}</table>{pooled}"


def pooled_line(one: dict[str, Any]) -> str:
    """Say what windows come to together, in one line."""
    settings = ", ".join(f"{key}={value}" for key, value in one["settings"].items())
    told = (one["confidence"] or one["error"] or {}).get(
        "verdict" if one["confidence"] else "message", "none of them completed"
    )
    return f"{one['judged']} of {one['windows']} windows{settings and ', ' + settings}: {told}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
