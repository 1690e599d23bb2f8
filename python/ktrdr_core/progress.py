"""Progress: pictures of it, the words for them, and a manager for work that reports by calls.

The numbers and the arithmetic are the core's; a renderer turns a picture into a sentence and may be written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakSet

from . import _bridge, _core
from ._bridge.arguments import described, explained
from ._bridge.callbacks import guarded, refuse_coroutine
from ._bridge.texts import name_of, shown
from ._core import ProgressState
from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .protocols import ProgressCallback

__all__ = [
    "GenericProgressManager",
    "GenericProgressState",
    "ProgressRenderer",
    "ProgressState",
]

#: The same class: every kind of progress is told by one.
GenericProgressState = ProgressState


# Counts are the core's, of 64 bits.
_LIMIT = 2**63


class ProgressRenderer:
    """Turns a state into words: ``Checking files [3/5]``. Subclass it for a domain's own sentence.

    Both methods are pure: they change nothing and may be called from any thread. One that raises, changes the context of
    the state it was given or returns something else is reported once, to the loop's exception handler or the log; the
    sentence that was there stays, and the next state is tried again.

    Examples
    --------
    >>> from ktrdr_core import ProgressRenderer, ProgressState
    >>> class Loud(ProgressRenderer):
    ...     def render_message(self, state):
    ...         return f"{state.percentage:.0f} % OF {state.context['what'].upper()}!"
    >>> Loud().render_message(ProgressState(percentage=50, context={"what": "files"}))
    '50 % OF FILES!'
    """

    _native: ClassVar[_core.ProgressRenderer] = _core.DefaultProgressRenderer()

    def render_message(self, state: ProgressState) -> str:
        """Give the sentence a person reads; ``state.detail`` is what the worker itself said, or empty."""
        return self._native.render_message(state)

    def enhance_state(self, state: ProgressState) -> ProgressState:
        """Give a state with context derived from its numbers (``state.replace(context=...)``), or ``state`` itself."""
        return self._native.enhance_state(state)

    def render_progress_message(self, state: ProgressState) -> str:
        """Do what ``render_message`` does; the older name."""
        return self.render_message(state)


class Rendering:
    """A renderer's words for one operation: where it fails it is told once, and the last sentence stays."""

    def __init__(self, renderer: ProgressRenderer) -> None:
        self._renderer = renderer
        self._sentence: str | None = None

    def of(self, state: ProgressState) -> ProgressState:
        """Give the state with the renderer's words."""
        try:
            made = self._put_into_words(state)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - what a user's renderer raises is unknown
            _tell_once(self._renderer, error)
            return state if self._sentence is None else state.replace(message=self._sentence)
        self._sentence = made.message
        return made

    def _put_into_words(self, state: ProgressState) -> ProgressState:
        # What the core itself does changes nothing, and needs no watching, which is not free.
        handed = state if self._is_ours("enhance_state") else _Handed.of(state)
        enhanced = self._renderer.enhance_state(handed)
        if not isinstance(enhanced, ProgressState):
            raise TypeError(
                f"enhance_state must return a ProgressState, not {described(enhanced)}: "
                "use state.replace(context=...), or return state itself"
            )
        shown = enhanced
        if not isinstance(shown, _Handed) and not self._is_ours("render_message"):
            shown = _Handed.of(enhanced)
        message = self._renderer.render_message(shown)
        if not isinstance(message, str):
            raise TypeError(f"render_message must return str, not {described(message)}")
        before = state if enhanced is handed else enhanced
        if _is_changed(handed, state) or _is_changed(shown, before):
            raise TypeError(
                "it changes the context of the state that it was given: "
                "return state.replace(context={**state.context, ...}) from enhance_state"
            )
        return before.replace(message=message)

    def _is_ours(self, method: str) -> bool:
        return getattr(type(self._renderer), method, None) is getattr(ProgressRenderer, method)


def patient(callback: ProgressCallback) -> ProgressCallback:
    """Report once, and go on calling, a callback that looks for a fact which the state does not have, perhaps not yet.

    One that was written for a dict does that with its first state; what else it raises is for its caller.
    """
    missed: list[bool] = []

    @wraps(callback, updated=())
    def hear(state: ProgressState, /) -> object:
        try:
            return callback(state)
        except KeyError as error:
            if not missed:
                missed.append(True)
                _bridge.report(
                    f"progress callback {shown(callback)} looked for what its state does not have, and is called again",
                    error,
                )
            return None

    return hear


class _Handed(ProgressState):
    """The state as a renderer is given it: asked twice for its context it gives the same dict, so a change shows."""

    @classmethod
    def of(cls, state: ProgressState) -> _Handed:
        return cls(**{name: getattr(state, name) for name in ProgressState.__match_args__})

    @property
    def context(self) -> dict[str, Any]:
        """The state's own."""
        if "given" not in self.__dict__:
            self.__dict__["given"] = super().context
        given: dict[str, Any] = self.__dict__["given"]
        return given

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a ProgressState is frozen: use state.replace({name}=...)")


def _is_changed(handed: ProgressState, before: ProgressState) -> bool:
    given = vars(handed).get("given") if isinstance(handed, _Handed) else None
    return given is not None and given != before.context


# Renderers that have been told of; those that cannot be held weakly are told of by each that uses them.
_told: WeakSet[Any] = WeakSet()


def _tell_once(renderer: object, error: BaseException) -> None:
    try:
        if renderer in _told:
            return
        _told.add(renderer)
    except BaseException:  # noqa: BLE001 - it may be no key, by code of its own
        pass
    _bridge.report(f"renderer {shown(renderer)} failed, and the last sentence stays", error)


class GenericProgressManager:
    """Progress by calls, for work that does not know its steps beforehand.

    Use ``start_step`` with ``update_step_progress`` inside the step, or ``update_progress`` alone with the number of
    steps done, or both. Steps may come out of order and totals may be 0 (unknown): the percentage stays in 0..100 and
    never goes back. After ``complete_operation`` nothing changes and nobody is called any more.

    Thread safety: any number of threads may update at once. The callback runs on the thread that updates, after the
    update and outside of any lock, so that of two threads' states the older one may come last (see ``sequence``).

    Parameters
    ----------
    callback : callable, optional
        Called with a ``ProgressState`` after every update. One that raises is logged once and not called again, but for a
        KeyError: a callback written for a dict may miss a fact of the context that comes later.
    renderer : ProgressRenderer, optional
        Words of your own.

    Raises
    ------
    InvalidArgumentError
        When ``callback`` is a coroutine function or cannot be called.

    Examples
    --------
    >>> from ktrdr_core import GenericProgressManager
    >>> seen = []
    >>> manager = GenericProgressManager(callback=seen.append)
    >>> manager.start_operation("import", total_steps=2)
    >>> manager.update_progress(1, "Reading")
    >>> manager.complete_operation()
    >>> [(state.percentage, state.message) for state in seen]
    [(0.0, 'Working'), (50.0, 'Reading [1/2]'), (100.0, 'Reading [2/2]')]
    """

    _making: ClassVar[Lock] = Lock()

    def __init__(
        self,
        callback: ProgressCallback | None = None,
        renderer: ProgressRenderer | None = None,
    ) -> None:
        if callback is not None:
            refuse_coroutine(callback)
        if renderer is not None and not callable(getattr(renderer, "enhance_state", None)):
            raise InvalidArgumentError(f"renderer must be a ProgressRenderer, not {renderer!r}")
        self._callback = None if callback is None else guarded(patient(callback))
        self._rendering = None if renderer is None else Rendering(renderer)

    def __getattr__(self, name: str) -> Any:
        """Make what a subclass that does not call ``super().__init__()`` has not made."""
        if name not in ("_native", "_callback", "_rendering"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        with GenericProgressManager._making:
            if name not in self.__dict__:
                self.__dict__[name] = _core.GenericProgressManager() if name == "_native" else None
            return self.__dict__[name]

    @explained
    def start_operation(
        self, operation_id: str, total_steps: int, context: Mapping[str, Any] | None = None
    ) -> None:
        """Begin at nought.

        Parameters
        ----------
        operation_id : str
            As the states shall name it.
        total_steps : int
            How many steps there are, 0 for unknown.
        context : mapping, optional
            What every state carries: plain JSON; anything else is converted or described.

        Raises
        ------
        InvalidArgumentError
            For a negative total.
        """
        self._tell(
            self._native.start_operation,
            operation_id,
            check_count("total_steps", total_steps),
            as_dict(context),
        )

    @explained
    def start_step(
        self,
        step_name: str,
        step_number: int,
        step_percentage: float | None = None,
        step_end_percentage: float | None = None,
        expected_items: int | None = None,
    ) -> None:
        """Begin a step.

        Parameters
        ----------
        step_name : str
            For the sentence.
        step_number : int
            From 1.
        step_percentage, step_end_percentage : float, optional
            Percent of the bar where the step begins and ends; else an equal share by its number.
        expected_items : int, optional
            How many items there will be in all.

        Raises
        ------
        ConflictError
            Before ``start_operation``.
        InvalidArgumentError
            For a negative number or a percentage outside 0..100.
        """
        self._tell(
            self._native.start_step,
            step_name,
            check_count("step_number", step_number),
            step_percentage,
            step_end_percentage,
            expected_items,
        )

    @explained
    def update_step_progress(
        self, current: int, total: int, items_processed: int = 0, detail: str = ""
    ) -> None:
        """Say that ``current`` of ``total`` units of the step are done.

        Parameters
        ----------
        current, total : int
            Units of the step; a total of 0 is unknown.
        items_processed : int
            Items since the operation began; 0 leaves what was said before.
        detail : str
            Joins the step's name in the sentence; empty leaves what was said before.

        Raises
        ------
        ConflictError
            Before ``start_operation``.
        InvalidArgumentError
            For a negative number.
        """
        # Called in the innermost loops: three ints need no look each.
        if not type(current) is type(total) is type(items_processed) is int:
            check_count("current", current)
            check_count("total", total)
            check_count("items_processed", items_processed)
        self._tell(self._native.update_step_progress, current, total, items_processed, detail)

    @explained
    def update_progress(
        self,
        step: int,
        message: str | None = None,
        items_processed: int = 0,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Say that ``step`` of the operation's steps are done.

        Parameters
        ----------
        step : int
            How many.
        message : str, optional
            The sentence; else the one before.
        items_processed : int
            Items since the operation began; 0 leaves what was said before.
        context : mapping, optional
            Merged into that of every later state: plain JSON; anything else is converted or described.

        Raises
        ------
        ConflictError
            Before ``start_operation``.
        InvalidArgumentError
            For a negative number.
        """
        self._tell(
            self._native.update_progress,
            check_count("step", step),
            message,
            check_count("items_processed", items_processed),
            as_dict(context),
        )

    def complete_operation(self) -> None:
        """Say that all is done: 100 %.

        Raises
        ------
        ConflictError
            Before ``start_operation``.
        """
        self._tell(self._native.complete_operation)

    @property
    def current_state(self) -> ProgressState | None:
        """The picture now; None before ``start_operation``."""
        state = self._native.state()
        return None if state is None else self._in_words(state)

    def _tell(self, update: Callable[..., ProgressState | None], *arguments: Any) -> None:
        state = update(*arguments)
        callback = self._callback
        if state is not None and callback is not None:
            callback(self._in_words(state))

    def _in_words(self, state: ProgressState) -> ProgressState:
        return state if self._rendering is None else self._rendering.of(state)


def check_count(argument: str, value: Any) -> int:
    """Give an int, and refuse what only looks like one.

    Raises
    ------
    InvalidArgumentError
        Naming the argument.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidArgumentError(f"{argument} must be an int, not {value!r}")
    if not -_LIMIT <= value < _LIMIT:
        # It is not shown: of thousands of digits Python makes no text.
        raise InvalidArgumentError(f"{argument} must fit into 64 bits: its size is below 2**63")
    return value


def as_dict(context: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Give a context as a dict, whatever kind of mapping it is."""
    if context is None or isinstance(context, dict):
        return context
    if not isinstance(context, Mapping):
        return dict(context)
    try:
        return dict(context)
    except Exception:  # noqa: BLE001 - a mapping's own code may raise anything
        return {"context": name_of(type(context))}
