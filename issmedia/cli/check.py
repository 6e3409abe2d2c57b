"""check."""

import click

from issmedia.base.units import count_text
from issmedia.cli.face import LEFT_OUT, Face, command
from issmedia.content.yum.content import content_type
from issmedia.content.yum.reader import Parser
from issmedia.depot.depot import open_depot
from issmedia.ops.check import Checked, check


@command(None, "check", "issmedia check alma9 epel9")
@click.argument("what", nargs=-1, metavar="[PRODUCT[/REPO]]...")
def check_command(face: Face, what: tuple[str, ...]) -> int:
    """List packages that would not install; what is named is taken together, nothing named means all."""
    with Parser() as parser:
        checked = check(open_depot(face.root), content_type(parser), what)
    face.answer(checked, lambda: _text(checked))
    return LEFT_OUT if checked.broken else 0


def _text(checked: Checked) -> str:
    of = f"{count_text(checked.packages, 'package')} of {', '.join(checked.repositories) or 'no repository'}"
    lines = [f"{one.repository}: {one.package} lacks {', '.join(one.requires)}" for one in checked.broken]
    outcome = f"{len(checked.broken):,} would not install" if lines else "all would install"
    return "\n".join([*lines, f"{of}: {outcome}"])
