"""A saved model that predicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .. import _core
from .._extras import needed_by
from .._numbers import array_of
from ..bars import Bars
from ..errors import InvalidArgumentError
from .folders import ModelInfo
from .predictions import BarPrediction, BarPredictions, Predictions
from .stream import PredictionStream

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt
    import torch

#: Bars of the model's timeframe, or by timeframe where the strategy has several.
Series = Bars | Mapping[str, Bars]


@dataclass(frozen=True)
class Membership:
    """How much a bar belongs to a fuzzy set.

    Attributes
    ----------
    feature : str
        ``{timeframe}_{indicator}_{set}[_lag_k]``.
    value : float
        The membership, above 0 and at most 1.
    """

    feature: str
    value: float


@dataclass(frozen=True)
class Explanation:
    """Why a model says what it says of a bar.

    Attributes
    ----------
    prediction : BarPrediction
        What it says.
    fired : tuple of Membership
        The memberships above 0, the largest first: as the sets have them, whether the model scales its features or not.
        Price context is none of them.
    """

    prediction: BarPrediction
    fired: tuple[Membership, ...]


def _names_of(features: Any) -> Iterable[object]:
    """Names of columns: of a frame, or of one row that has them."""
    named = getattr(features, "columns", None)
    if named is None and getattr(features, "ndim", None) == 1:
        named = getattr(features, "index", None)
    return named if isinstance(named, Iterable) else ()


def load(path: str | os.PathLike[str]) -> Model:
    """Load a saved model from its folder; torch is not needed.

    Parameters
    ----------
    path : path
        The model's folder, ``artifacts.model_path`` of a training's result.

    Raises
    ------
    NotFoundError
        Where there is no such folder.
    InvalidArgumentError
        Where its files are not whole, or do not belong together; the message names the file.
    StorageSchemaError
        For a model that a newer version wrote.
    """
    return Model(path)


class Model:
    """A saved model, ready to predict. It holds all it needs: its folder is not read again, and may go.

    Any number of threads may use one. Pickled it is the name of its folder, which is read where it is unpickled. Chances are
    computed in C++, float32 as torch has them and within 1e-6 of what ``to_torch()`` gives.

    Parameters
    ----------
    path : path
        The model's folder; errors as those of ``load``.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # From the root: the working directory may change.
        self._path = Path(path).absolute()
        self._native = _core.Model(self._path)
        self._names = tuple(self._native.classes)
        self._timeframes = tuple(self._native.timeframes)

    def __repr__(self) -> str:
        return (
            f"<Model {self._path.parent.name}/{self._path.name}: {len(self.feature_names)} features of "
            f"{', '.join(self._timeframes)} to {', '.join(self._names)}>"
        )

    def __reduce__(self) -> tuple[Callable[[Path], Model], tuple[Path]]:
        return load, (self._path,)

    def __copy__(self) -> Model:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Model:
        return self

    # ---- what it is

    @property
    def path(self) -> Path:
        """The folder that it was loaded from."""
        return self._path

    @property
    def info(self) -> ModelInfo:
        """What its folder says of it, read anew."""
        return ModelInfo.read(self._path)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features, in the order of the columns that ``predict`` takes."""
        return tuple(self._native.feature_names)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes by their number: buy, hold, sell."""
        return self._names

    @property
    def timeframes(self) -> tuple[str, ...]:
        """The timeframes whose bars it needs."""
        return self._timeframes

    @property
    def base_timeframe(self) -> str:
        """The timeframe whose bars are predicted for."""
        return self._timeframes[self._native.base]

    @property
    def history(self) -> int:
        """Bars before the first one predicted for, in each timeframe: with fewer an indicator would still show where the bars begin.

        Raises
        ------
        InvalidArgumentError
            Where an indicator shows it for ever (``obv``, ``ad_line``, ``parabolic_sar``, ``supertrend``, ``zigzag``); so
            does what takes ``exact``, which is to be False then.
        """
        return self._native.history(exact=True)

    @property
    def least_history(self) -> int:
        """Bars before the first one whose features have a value at all."""
        return self._native.history(exact=False)

    # ---- what it says

    def predict(self, features: npt.ArrayLike) -> Predictions:
        """Predict from rows of features.

        Parameters
        ----------
        features : array_like
            Memberships, in the order of ``feature_names``. Shape ``(rows, features)``, or ``(features,)`` for one row.
            Columns that have names (a DataFrame's, of one row a Series') must have these.

        Raises
        ------
        InvalidArgumentError
            For another number of columns, for columns of other names or in another order, and for a value that is not
            finite; the message names row and feature.
        """
        import numpy

        self._check_columns(_names_of(features))
        rows = array_of("features must be numbers", features, numpy.float32)
        if rows.ndim == 1:
            rows = rows.reshape(1, -1)
        if rows.ndim != 2 or rows.shape[1] != len(self.feature_names):
            raise InvalidArgumentError(
                f"features have the shape {rows.shape}: the model takes rows of {len(self.feature_names)}, "
                "in the order of feature_names",
                context={"field": "features"},
            )
        classes, chances = self._native.predict(rows)
        return Predictions(self._names, numpy.asarray(classes), numpy.asarray(chances))

    def _check_columns(self, columns: Iterable[object]) -> None:
        """Refuse columns that have names, and not those of the features."""
        for place, (given, needed) in enumerate(zip(columns, self.feature_names, strict=False)):
            # Whole numbers are no names: a frame that was given none counts its columns.
            if not isinstance(given, Integral) and given != needed:
                raise InvalidArgumentError(
                    f"column {place} of features is {given!r}, and the model takes {needed!r} there: give it the columns "
                    "feature_names, in that order",
                    context={"field": "features", "column": given},
                )

    def predict_bars(self, bars: Series, *, exact: bool = True) -> BarPredictions:
        """Predict for each bar that has its history.

        Parameters
        ----------
        bars : Bars or mapping of str to Bars
            Closed bars of the model's timeframe; by timeframe where it has several.
        exact : bool
            False begins with the first bar whose features have a value, as the rows of a training do; such a prediction
            may change when older bars are put before.

        Raises
        ------
        NotEnoughDataError
            With too few bars; the message says how many are needed.
        InvalidArgumentError
            For bars of another timeframe, for a timeframe that is missing, and for bars that say they are of another
            kind of price than those of the training (``what_to_show``: adjusted or not, bids, trades).

        Notes
        -----
        Where a session is missing among the bars (by the calendar that the training knew for the symbol) indicators begin
        anew behind it, as in the training, and bars without their history there have no prediction. ``warnings`` of the
        answer name the hole.
        """
        import numpy

        series = self._series(bars)
        rows, classes, chances, warnings = self._native.predict_bars(series, exact)
        places = numpy.asarray(rows)
        times = numpy.asarray(series[self._native.base].time).view("datetime64[ns]")
        return BarPredictions(
            self._names,
            numpy.asarray(classes),
            numpy.asarray(chances),
            times[places],
            places,
            tuple(warnings),
        )

    def features(
        self, bars: Series, *, exact: bool = True
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Give the rows of features that ``predict_bars`` predicts from: the bars' places, and a row for each.

        Scaled where the model's are. Errors and parameters as those of ``predict_bars``; shapes ``(rows,)`` and ``(rows, features)``.
        """
        import numpy

        rows, values = self._native.features_of(self._series(bars), exact, True)
        return numpy.asarray(rows), numpy.asarray(values)

    def stream(self, *, exact: bool = True, symbol: str = "") -> PredictionStream:
        """Predict for bars as they come.

        Parameters
        ----------
        exact : bool
            As in ``predict_bars``.
        symbol : str
            Whose bars they will be: its sessions say what is a hole among them. Where it is not said, those that all
            symbols of the training have.
        """
        return PredictionStream(
            self._native.stream(exact, symbol), self._native, self._names, self._timeframes
        )

    def explain(self, bars: Series, bar: int = -1, *, exact: bool = True) -> Explanation:
        """Say what the model predicts for one bar, and which memberships fired.

        Parameters
        ----------
        bars : Bars or mapping of str to Bars
            The bar with its history before it.
        bar : int
            Its place among the bars of the base timeframe; the last by default.
        exact : bool
            As in ``predict_bars``.

        Raises
        ------
        NotEnoughDataError
            With too few bars; the message says how many are needed.
        InvalidArgumentError
            For a bar that is not there, or has no prediction.
        """
        series = self._series(bars)
        count = len(series[self._native.base])
        if isinstance(bar, bool) or not hasattr(bar, "__index__"):
            raise InvalidArgumentError(
                f"bar must be a whole number, the bar's place, not {type(bar).__name__}",
                context={"field": "bar"},
            )
        place = bar + count if bar < 0 else bar
        rows, values = self.features(bars, exact=exact)
        found = (rows == place).nonzero()[0]
        if not len(found):
            raise InvalidArgumentError(
                f"bar {bar} has no prediction: there are {count}, the first {self._native.history(exact)} are history, and "
                "bars without a price have none",
                context={"field": "bar"},
            )
        predicted = self.predict(values[found[0]])
        times = self._times(series)
        import numpy

        from ..calendars.instants import time_of

        # What the network sees may be scaled, and says no more how much a bar belongs to a set.
        _, plain = self._native.features_of(series, exact, False)
        of_sets = set(self._native.membership_names)
        memberships = [
            Membership(name, value)
            for name, value in zip(
                self.feature_names, numpy.asarray(plain)[found[0]].tolist(), strict=True
            )
            if value > 0 and name in of_sets
        ]
        return Explanation(
            BarPrediction(
                time_of(times[place]),
                predicted.labels[0],
                dict(zip(self._names, predicted.chances[0].tolist(), strict=True)),
            ),
            tuple(sorted(memberships, key=lambda one: -one.value)),
        )

    def to_torch(self) -> torch.nn.Sequential:
        """Make a plain ``torch.nn.Sequential`` with the model's weights, in evaluation mode; it gives logits.

        Raises
        ------
        FeatureNotAvailableError
            When torch is not installed; an ImportError. The message has the command that installs it.
        """
        with needed_by("to_torch()"):
            import torch

        import numpy

        activations: dict[str, Any] = {
            "relu": torch.nn.ReLU,
            "tanh": torch.nn.Tanh,
            "sigmoid": torch.nn.Sigmoid,
            "leaky_relu": torch.nn.LeakyReLU,
            "gelu": torch.nn.GELU,
        }
        activation = activations[self._native.activation]
        widths = [len(self.feature_names), *self._native.hidden_layers, len(self._names)]
        layers: list[torch.nn.Module] = []
        for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
            layers += [
                torch.nn.Linear(inputs, outputs),
                activation(),
                torch.nn.Dropout(self._native.dropout),
            ]
        # Three modules a layer, as the weights are named; behind the last there is nothing.
        network = torch.nn.Sequential(*layers[:-2])
        network.load_state_dict(
            {
                name: torch.from_numpy(numpy.array(values))
                for name, _, values in self._native.weights
            }
        )
        return network.eval()

    # ---- what is handed in

    def _series(self, bars: Series) -> list[_core.Bars]:
        given: Mapping[str, Bars]
        if isinstance(bars, Bars):
            if len(self._timeframes) > 1:
                raise InvalidArgumentError(
                    f"the model needs bars of {', '.join(self._timeframes)}: hand in a mapping from timeframe to bars",
                    context={"field": "bars"},
                )
            given = {self._timeframes[0]: bars}
        elif isinstance(bars, Mapping):
            given = bars
        else:
            raise InvalidArgumentError(
                f"bars must be Bars, or a mapping from timeframe to Bars, not {type(bars).__name__}",
                context={"field": "bars"},
            )
        if set(given) != set(self._timeframes):
            raise InvalidArgumentError(
                f"the model needs bars of {', '.join(self._timeframes)}, and those given are of "
                f"{', '.join(map(str, given)) or 'no timeframe'}",
                context={"field": "bars"},
            )
        for name, one in given.items():
            if not isinstance(one, Bars):
                raise InvalidArgumentError(
                    f"bars of {name} must be Bars, not {type(one).__name__}",
                    context={"field": "bars"},
                )
            if one.timeframe not in ("", name):
                raise InvalidArgumentError(
                    f"these bars are of {one.timeframe}, and the model needs {name}",
                    context={"field": "bars"},
                )
        return [given[name]._native for name in self._timeframes]

    def _times(self, series: list[_core.Bars]) -> list[int]:
        import numpy

        return cast("list[int]", numpy.asarray(series[self._native.base].time).tolist())
