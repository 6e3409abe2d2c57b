"""What every command shares: where the depot is, how to answer, how to report."""

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from issmedia.base.events import Report
from issmedia.cli import clock

if TYPE_CHECKING:
    from issmedia.model.manifest import Missing

Function = TypeVar("Function", bound=Callable[..., Any])

LEFT_OUT = 7
"""The exit code of work that is done, with something left out."""


class Face(msgspec.Struct, frozen=True):
    """One call's context: depot, how to answer, and the moment it began."""

    root: Path
    as_json: bool
    quiet: bool
    verbose: bool
    now: str

    @property
    def workers(self) -> int:
        """Say how many threads bulk work may use."""
        return max(1, min(8, os.cpu_count() or 1))

    @contextlib.contextmanager
    def reporting(self) -> Iterator[Report]:
        """Show events on stderr while the block runs: bars on a terminal, lines elsewhere."""
        from issmedia.cli.render import Renderer

        with Renderer(quiet=self.quiet, verbose=self.verbose, as_json=self.as_json) as renderer:
            yield renderer.show

    def answer(self, document: object, text: Callable[[], str]) -> None:
        """Write the result to stdout: as JSON where asked, else the text."""
        if self.as_json:
            from issmedia.cli.render import as_json

            sys.stdout.write(as_json(document))
        elif not self.quiet and (lines := text().rstrip("\n")):
            sys.stdout.write(lines + "\n")
        sys.stdout.flush()  # what follows on stderr shall be read after it

    def done(self, left_out: Sequence["Missing"]) -> int:
        """Give the exit code of work that is done; with `--quiet` too, what was left out is named."""
        if left_out and self.quiet and not self.as_json:
            from issmedia.cli.render import left_out_lines

            sys.stderr.writelines(f"warning: {line}\n" for line in left_out_lines(left_out))
        return LEFT_OUT if left_out else 0


def command(group: click.Group | None, name: str, example: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function a command: its first argument is the `Face`, its help ends with an example."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        @click.pass_context
        def call(context: click.Context, /, as_json: bool, quiet: bool, verbose: bool, **options: Any) -> Any:
            face = Face(_depot_root(context.find_root().obj), as_json, quiet, verbose, clock.now())
            return function(face, **options)

        for option in (
            click.option("--verbose", is_flag=True, help="Say more."),
            click.option("--quiet", is_flag=True, help="Say nothing but warnings and errors."),
            click.option("--json", "as_json", is_flag=True, help="Answer as JSON on stdout."),
        ):
            call = option(call)
        make = group.command if group else click.command
        return make(name, epilog=f"Example: {example}")(call)

    return decorate


def _depot_root(given: Path | None) -> Path:
    if given is not None:
        return given.absolute()
    if os.environ.get("ISSMEDIA_DEPOT"):
        return Path(os.environ["ISSMEDIA_DEPOT"]).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/issmedia")
    from platformdirs import user_data_path

    return user_data_path("issmedia")
