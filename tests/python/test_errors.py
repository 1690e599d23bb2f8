"""The table of errors, from both sides."""

import inspect

import pytest

from ktrdr_core import CancellationToken, errors
from ktrdr_core._core import error_codes


def test_every_code_of_the_core_has_one_class() -> None:
    assert sorted(errors.BY_CODE) == sorted(error_codes())


def test_the_tree_in_the_docstring_names_every_class() -> None:
    classes = [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, errors.KtrdrError)
    ]
    assert len(classes) > 25
    for cls in classes:
        assert errors.__doc__ is not None
        assert cls.__name__ in errors.__doc__


@pytest.mark.parametrize("code", sorted(errors.BY_CODE))
def test_an_error_carries_message_context_and_code(code: str) -> None:
    error = errors.from_record(code, "what happened", {"url": "http://x"})
    assert type(error) is errors.BY_CODE[code]
    assert error.code == code
    assert str(error) == error.message == "what happened"
    assert error.context == {"url": "http://x"}


def test_an_error_of_the_core_arrives_as_its_class() -> None:
    token = CancellationToken()
    token.check("before")
    assert token.cancel("enough")
    assert not token.cancel("again")
    with pytest.raises(errors.OperationCancelledError, match="enough"):
        token.check("loading")
    assert token.reason is not None
    assert (token.reason.code, token.reason.text) == ("user", "enough")


def test_a_child_is_cancelled_with_its_parent_and_never_the_other_way() -> None:
    parent = CancellationToken()
    first, second = parent.child(), parent.child(timeout=3600)
    first.cancel("only me")
    assert not parent.is_cancelled()
    assert not second.is_cancelled()
    parent.cancel("all")
    assert second.is_cancelled()
    assert second.reason is not None
    assert second.reason.code == "parent"


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_that_is_none_is_refused_by_name(timeout: float) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="timeout"):
        CancellationToken().child(timeout)
