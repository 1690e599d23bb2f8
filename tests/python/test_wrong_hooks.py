"""Hooks of subclasses that answer no text, and environments that hold none: told by name, without what else is there."""

from __future__ import annotations

import asyncio
import traceback
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from conftest import MARKER
from ktrdr_core import (
    AsyncServiceAdapter,
    DataManager,
    OperationsService,
    ServiceOrchestrator,
    TrainingManager,
    errors,
)
from ktrdr_core.adapter import read_host_service_config
from ktrdr_core.data import IbDataAdapter
from ktrdr_core.models import list_models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URL = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMEBODYS_KEY", MARKER)


async def a_coroutine() -> str:
    return URL


def named(kind: type, hook: str, answer: Callable[[], Any]) -> Any:
    """Make a subclass whose hook answers so."""

    def given(self: Any) -> Any:
        return answer()

    given.__name__ = hook
    return type("Mine", (kind,), {hook: given})


ANSWERS: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "int": lambda: 5,
    "coroutine": a_coroutine,
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("hook", ["get_service_name", "get_service_type", "get_base_url"])
def test_a_hook_of_an_adapter_that_gives_no_text_is_named(hook: str, answer: str) -> None:
    adapter = named(AsyncServiceAdapter, hook, ANSWERS[answer])
    if (hook, answer) == ("get_service_name", "None"):
        assert "of Mine" not in repr(adapter("quotes", URL)), "it goes by its class's name"
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(errors.InvalidArgumentError, match=f"{hook} of Mine must give str"):
            adapter("quotes", URL, auth=("me", MARKER))


def test_a_hook_of_an_adapter_that_is_no_method_is_told_of() -> None:
    adapter: Any = type("Mine", (AsyncServiceAdapter,), {"get_base_url": URL})
    with pytest.raises(errors.InvalidArgumentError, match="must be a method"):
        adapter("quotes")


class Domain(ServiceOrchestrator):
    def _get_service_name(self) -> str:
        return "Domain"

    def _get_env_var_prefix(self) -> str:
        return "DOMAIN"


HOOKS = ["_get_service_name", "_get_env_var_prefix", "_get_default_host_url"]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_of_a_service_that_gives_no_text_is_named(hook: str, answer: str) -> None:
    domain = named(Domain, hook, ANSWERS[answer])()
    words = f"{hook} of Mine must give str"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for ask in (domain.is_using_host_service, domain.get_host_service_url):
            with pytest.raises(errors.InvalidArgumentError, match=words):
                ask()
        with pytest.raises(errors.InvalidArgumentError, match=words):
            domain.adapter  # noqa: B018 - it is made by looking
        told = domain.validate_configuration()
        assert not told["valid"]
        assert words in told["issues"][0]
    # Who asks for health over HTTP is told no variable of the process.
    health = asyncio.run(_quietly(domain))
    assert words in health["error"]
    assert MARKER not in str(health)


async def _quietly(domain: Any) -> dict[str, Any]:
    with warnings.catch_warnings():
        # Of the hook's own coroutine, where it stands in the answer.
        warnings.simplefilter("ignore", RuntimeWarning)
        health: dict[str, Any] = await domain.health_check()
        return health


HOLDS_NO_TEXT: Any = {"NUMBER": 5, "SOMEBODYS_KEY": MARKER}
WRONG: dict[str, Callable[[Path], Any]] = {
    "url": lambda _: Domain(host_service_url=5).is_using_host_service(),  # type: ignore[arg-type]
    "use": lambda _: Domain(use_host_service="yes").is_using_host_service(),  # type: ignore[arg-type]
    "prefix": lambda _: read_host_service_config(None),  # type: ignore[arg-type]
    "defaults": lambda _: read_host_service_config("IB", defaults=URL),  # type: ignore[arg-type]
    "store": lambda folder: OperationsService(folder / "x.db", default="no"),  # type: ignore[arg-type]
    "source's url": lambda _: IbDataAdapter(5),  # type: ignore[arg-type]
    "source's use": lambda _: IbDataAdapter(URL, use_host_service="yes"),  # type: ignore[arg-type]
    "data's url": lambda folder: DataManager(folder, 5),  # type: ignore[arg-type]
    "env of a service": lambda _: Domain(env=HOLDS_NO_TEXT).is_using_host_service(),
    "env of a config": lambda _: read_host_service_config("IB", env=HOLDS_NO_TEXT),
    "env of data": lambda folder: DataManager(folder, env=HOLDS_NO_TEXT),
    "env of a source": lambda _: IbDataAdapter(URL, env=HOLDS_NO_TEXT),
    "env of models": lambda folder: list_models(folder, env=HOLDS_NO_TEXT),
    "no env": lambda _: Domain(env=5).is_using_host_service(),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("wrong", WRONG)
def test_no_error_repeats_the_environment(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidArgumentError) as caught:
        WRONG[wrong](tmp_path)
    said = "".join(traceback.format_exception(caught.value))
    assert MARKER not in said
    assert "incompatible" not in said
    if "env" in wrong:
        assert "env must" in str(caught.value)


def test_the_environment_of_trainings_is_not_repeated_either(tmp_path: Path) -> None:
    with DataManager(tmp_path) as data:
        for arguments in ({"env": HOLDS_NO_TEXT}, {"training_url": 5}):
            with pytest.raises(errors.InvalidArgumentError) as caught:
                TrainingManager(data, tmp_path / "models", **arguments)
            assert MARKER not in "".join(traceback.format_exception(caught.value))
