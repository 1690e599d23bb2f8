"""How long an operation will take, from how long those before it took."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

from ..errors import InvalidArgumentError
from .kinds import type_key
from .service import OperationsService

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# So many of the newest runs are looked at, and so many of those that fit are counted.
_LOOKED_AT = 200
_COUNTED = 20


class TimeEstimationEngine:
    """Estimates how long an operation will take from the history in the store.

    What the store knows needs no recording: every operation that completed is in it.

    Parameters
    ----------
    service : OperationsService, optional
        Whose history; by default that of this process and the stores it knows. A path, that of the cache file of older
        code, counts as nothing: one RuntimeWarning says that no such file is read or written.

    Raises
    ------
    InvalidArgumentError
        For a service that is none.

    Examples
    --------
    >>> from ktrdr_core.operations import TimeEstimationEngine
    >>> engine = TimeEstimationEngine()
    >>> engine.estimate_duration("never_run") is None
    True
    >>> engine.record_operation_completion("import", {"symbol": "AAPL"}, 12.0)
    >>> engine.estimate_duration("import", {"symbol": "AAPL"})
    12.0
    """

    def __init__(self, service: OperationsService | str | os.PathLike[str] | None = None) -> None:
        if isinstance(service, str | os.PathLike):
            warnings.warn(
                f"TimeEstimationEngine keeps no cache file, so {os.fspath(service)!r} is neither read nor written: what it "
                "knows is the history in the store; leave the argument out",
                RuntimeWarning,
                stacklevel=2,
            )
            service = None
        if not isinstance(service, OperationsService | None):
            raise InvalidArgumentError(
                f"service must be an OperationsService, not {type(service).__name__}",
                context={"field": "service"},
            )
        self._service = OperationsService() if service is None else service
        self._told: list[tuple[str, dict[str, Any], float]] = []

    def estimate_duration(
        self, operation_type: str, context: Mapping[str, Any] | None = None
    ) -> float | None:
        """Estimate how long such an operation will take.

        Parameters
        ----------
        operation_type : str
            What kind of work; case does not count.
        context : mapping, optional
            Arguments of the work. Runs whose own are the same in these names are looked at, all runs of the type where
            there is none.

        Returns
        -------
        float or None
            Seconds: the median of the newest 20 that completed; None where none has.
        """
        from statistics import median

        wanted = dict(context or {})
        runs = list(self._runs(type_key(operation_type)))
        fitting = [seconds for facts, seconds in runs if _fits(facts, wanted)]
        counted = (fitting or [seconds for _, seconds in runs])[:_COUNTED]
        return median(counted) if counted else None

    def record_operation_completion(
        self, operation_type: str, context: Mapping[str, Any] | None, duration_seconds: float
    ) -> None:
        """Tell of a run that was no operation; it is known as long as this object lives.

        Raises
        ------
        InvalidArgumentError
            For a duration that is negative or no number.
        """
        if not isinstance(duration_seconds, int | float) or not duration_seconds >= 0:
            raise InvalidArgumentError(
                f"duration_seconds must be at least 0 seconds, not {duration_seconds!r}"
            )
        self._told.insert(
            0, (type_key(operation_type), dict(context or {}), float(duration_seconds))
        )
        del self._told[_LOOKED_AT:]

    def _runs(self, kind: str) -> Iterator[tuple[dict[str, Any], float]]:
        yield from ((facts, seconds) for known, facts, seconds in self._told if known == kind)
        page = self._service.list(status="completed", operation_type=kind, limit=_LOOKED_AT)
        for record in page.records:
            if record.started is not None and record.stopped is not None:
                yield record.parameters, (record.stopped - record.started).total_seconds()


def _fits(facts: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(facts.get(name) == value for name, value in wanted.items())
