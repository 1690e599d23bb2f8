"""What an editor shows of the core's values is what the core says: words, units and defaults."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from ktrdr_core import _core

STUB = ast.parse((Path(__file__).parents[2] / "python" / "ktrdr_core" / "_core.pyi").read_text())
CLASSES = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef)}
VALUES = [name for name, cls in vars(_core).items() if hasattr(cls, "__dataclass_fields__")]
values = pytest.mark.parametrize("name", VALUES)


def functions(name: str) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in CLASSES[name].body if isinstance(node, ast.FunctionDef)}


def words(text: str | None) -> str:
    return " ".join((text or "").split())


def test_there_are_values() -> None:
    assert len(VALUES) >= 10


@values
def test_the_stub_says_what_the_class_and_its_fields_are(name: str) -> None:
    cls = getattr(_core, name)
    assert words(ast.get_docstring(CLASSES[name])) == words(cls.__doc__)
    for field in cls.__match_args__:
        said = ast.get_docstring(functions(name)[field])
        assert said, field
        assert words(said) == words(getattr(cls, field).__doc__)


@values
def test_the_stub_s_defaults_are_those_of_the_core(name: str) -> None:
    arguments = functions(name)["__init__"].args
    assert [argument.arg for argument in arguments.kwonlyargs] == list(
        getattr(_core, name).__match_args__
    )
    made: Any = getattr(_core, name)()
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        assert default is not None, argument.arg
        shown = ast.literal_eval(default)
        value = getattr(made, argument.arg)
        if shown is ...:
            assert not isinstance(value, bool | int | float | str | None), argument.arg
        else:
            assert (type(shown), shown) == (type(value), value), argument.arg
