"""The options that say where a repository lies and how it is fetched, gathered into a `Transport`."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from issmedia.base.errors import UsageError
from issmedia.base.units import parse_size
from issmedia.model.names import shown
from issmedia.model.transport import NOTHING_CHOSEN, Kind, Transport, checked_variables

Function = TypeVar("Function", bound=Callable[..., Any])

_HOW = (
    click.option("--jobs", type=int, metavar="N", help="Connections at a time (8)."),
    click.option("--timeout", "timeout_s", type=float, metavar="SECONDS", help="The longest silence (60)."),
    click.option("--tries", type=int, metavar="N", help="How often a file is asked for (4)."),
    click.option("--limit-rate", "rate", metavar="SIZE", help="Bytes a second over all connections, as 5M."),
    click.option("--proxy", metavar="URL", help="Ask through this proxy, whatever the environment says."),
)
_WHERE = (
    click.option("--mirrorlist", is_flag=True, help="The source is the URL of a mirrorlist."),
    click.option("--metalink", is_flag=True, help="The source is the URL of a metalink."),
    click.option("--also", "others", multiple=True, metavar="URL", help="A further base URL of the same repository."),
    click.option("--releasever", metavar="VALUE", help="What $releasever in a URL stands for."),
    click.option("--basearch", metavar="VALUE", help="What $basearch in a URL stands for."),
    click.option(
        "--var", "pairs", multiple=True, metavar="NAME=VALUE", help="What $NAME in a URL stands for; may be empty."
    ),
    click.option("--client-cert", metavar="FILE", help="Our certificate for TLS (PEM)."),
    click.option("--client-key", metavar="FILE", help="Its key (PEM, mode 0600)."),
    click.option("--ca-bundle", metavar="FILE", help="The CAs that a server's certificate must come from (PEM)."),
    click.option("--credentials", metavar="FILE", help="A file (mode 0600) with username and password, or bearer."),
)


def how_options(function: Function) -> Function:
    """Add what says how files are fetched; the function gets it as `transport`."""
    return _with(function, _HOW, _how)


def where_options(function: Function) -> Function:
    """Add what says where a repository lies and by what right it is fetched; above `how_options`."""
    return _with(function, _WHERE, _where)


def _with(function: Function, options: tuple[Callable[..., Any], ...], gather: Callable[..., Transport]) -> Function:
    names = {parameter.name for parameter in _parameters(options)}

    @functools.wraps(function)
    def call(*args: Any, transport: Transport = NOTHING_CHOSEN, **given: Any) -> Any:
        said = {name: given.pop(name) for name in names}
        return function(*args, transport=gather(transport, **said), **given)

    for option in reversed(options):
        call = option(call)
    return call  # type: ignore[return-value]


def _parameters(options: tuple[Callable[..., Any], ...]) -> list[click.Parameter]:
    @click.command()
    def nothing() -> None:
        """Take the options."""

    for option in options:
        option(nothing)
    return nothing.params


def _how(transport: Transport, *, rate: str | None, **said: Any) -> Transport:
    return msgspec.structs.replace(transport, rate=None if rate is None else _rate(rate), **said)


def _where(
    transport: Transport, *, mirrorlist: bool, metalink: bool, pairs: tuple[str, ...], **said: str | None
) -> Transport:
    if mirrorlist and metalink:
        raise UsageError(
            "a list is a mirrorlist or a metalink, not both", hint="XML is a metalink, one URL a line a mirrorlist"
        )
    kind = Kind.MIRRORLIST if mirrorlist else Kind.METALINK if metalink else Kind.PLAIN
    variables = dict(map(_pair, pairs))
    variables |= {name: value for name in ("releasever", "basearch") if (value := said.pop(name)) is not None}
    others = said.pop("others")
    paths = {name: value and str(Path(value).absolute()) for name, value in said.items()}
    return msgspec.structs.replace(transport, kind=kind, others=others, variables=checked_variables(variables), **paths)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{shown(text)} is not NAME=VALUE", hint="for example --var releasever=9")
    return name, value


def _rate(text: str) -> int:
    size = parse_size(text)
    if size is None:
        raise UsageError(f"{shown(text)} is no size", hint="for example 5M, or 800k")
    return size
