"""The error tree: one exit code a branch, as its docstring draws it."""

import re
from collections.abc import Iterator

import pytest

from issmedia.base import errors
from issmedia.base.errors import (
    BusyError,
    DepotError,
    FormatError,
    IssmediaError,
    Problem,
    UpstreamError,
    UsageError,
    VerifyError,
)

BRANCHES = {
    IssmediaError: 1,
    UsageError: 2,
    UpstreamError: 3,
    DepotError: 4,
    FormatError: 5,
    VerifyError: 6,
    BusyError: 8,
}


def every_error(kind: type[IssmediaError] = IssmediaError) -> Iterator[type[IssmediaError]]:
    """Walk the tree."""
    yield kind
    for below in kind.__subclasses__():
        yield from every_error(below)


@pytest.mark.parametrize(("kind", "code"), BRANCHES.items())
def test_each_branch_has_its_exit_code(kind: type[IssmediaError], code: int) -> None:
    assert code == kind.exit_code


def test_below_a_branch_the_code_is_the_branchs() -> None:
    own = {kind.__name__ for kind in every_error() if "exit_code" in vars(kind)}

    assert own == {kind.__name__ for kind in BRANCHES}


def test_the_docstring_draws_the_whole_tree() -> None:
    drawn = set(re.findall(r"\w+Error", errors.__doc__ or ""))

    assert drawn == {kind.__name__ for kind in every_error()}


def test_an_error_carries_where_hint_and_problems() -> None:
    problems = [Problem("Packages/a.rpm", "is missing")]

    error = FormatError("bad", where="volume 3", hint="copy it again", problems=problems)

    assert str(error) == "bad"
    assert (error.where, error.hint, error.problems) == ("volume 3", "copy it again", tuple(problems))
