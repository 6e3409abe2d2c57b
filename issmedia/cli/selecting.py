"""The options that say what is wanted of a repository, and the words for it."""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click
from msgspec.structs import replace

from issmedia.model.selection import Selection

_EVERYTHING = "everything"
_OPTIONS = {
    "newest": click.option("--newest", type=click.IntRange(min=1), help="The newest N of each name and architecture."),
    "archs": click.option("--arch", "archs", multiple=True, help="Only these architectures, and noarch."),
    "include": click.option("--include", multiple=True, metavar="GLOB", help="Only these packages: a name or NEVRA."),
    "exclude": click.option("--exclude", multiple=True, metavar="GLOB", help="None of these packages."),
    "sources": click.option("--no-source", "sources", flag_value=False, default=None, help="No source packages."),
    "debug": click.option("--no-debug", "debug", flag_value=False, default=None, help="No debuginfo, no debugsource."),
    "advisories": click.option(
        "--advisories", multiple=True, metavar="WHAT", help="Only what these name: a kind (security), an ID or a CVE."
    ),
    "with_dependencies": click.option(
        "--with-dependencies",
        flag_value=True,
        default=None,
        help="And what those need, of this repository or others of the product that say so.",
    ),
    "kickstart": click.option(
        "--no-kickstart", "kickstart", flag_value=False, default=None, help="No files of an installer's tree."
    ),
    "packing": click.option("--packing", type=click.Choice(["gz", "zstd"]), help="How the repodata made are packed."),
    _EVERYTHING: click.option("--everything", is_flag=True, help="All of it; options beside this choose anew."),
}

Select = Callable[[Selection], Selection]


def selection_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options; it gets `select`, which changes a selection, or is None where none was given."""

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        given = {name: options.pop(name) for name in _OPTIONS}
        return function(*arguments, select=_change(given), **options)

    for option in reversed(_OPTIONS.values()):
        call = option(call)
    return call


def words(selection: Selection | None) -> str:
    """Say what is wanted; nothing where that is all."""
    return "" if selection is None else "; ".join(_words(selection))


def _change(given: Mapping[str, Any]) -> Select | None:
    """Give what changes a selection; what was not given stays."""
    named = {name: value for name, value in given.items() if value is not None and value != ()}
    anew = named.pop(_EVERYTHING)
    if not named and not anew:
        return None
    return lambda before: replace(Selection() if anew else before, **named)


def _words(selection: Selection) -> Iterator[str]:
    if selection.newest is not None:
        yield f"newest {selection.newest}"
    for name in "archs", "include", "exclude", "advisories":
        if found := getattr(selection, name):
            yield f"{name.removesuffix('s') if name == 'archs' else name} {' '.join(found)}"
    for name in "sources", "debug", "kickstart":
        if not getattr(selection, name):
            yield f"no {name}"
    if selection.with_dependencies:
        yield "with dependencies"
    if selection.packing != Selection().packing:
        yield f"packing {selection.packing}"
