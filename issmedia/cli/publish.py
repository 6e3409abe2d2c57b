"""publish."""

import click

from issmedia.base.units import count_text
from issmedia.cli.face import Face, command
from issmedia.depot.depot import Depot, open_depot
from issmedia.ops.publish import Published, publish


@command(None, "publish", "issmedia publish --base-url http://repos.site.lan/issmedia")
@click.argument("what", nargs=-1, metavar="[PRODUCT[/REPO]]...")
@click.option(
    "--base-url",
    metavar="URL|file",
    help="Where clients find published/; remembered. `file`, as at first: file:// of the directory.",
)
def publish_command(face: Face, what: tuple[str, ...], base_url: str | None) -> None:
    """Show clients the current snapshots, by one rename; nothing named means all repositories."""
    with open_depot(face.root).owned("publish", now=face.now) as depot, face.reporting() as report:
        result = publish(depot, what, now=face.now, report=report, base_url=base_url)
    state = "published" if result.changed else "unchanged"
    count = count_text(len(result.repositories), "repository", "repositories")
    face.answer(result, lambda: f"{state}: {count} in {depot.published}")


def seen_line(published: Published, depot: Depot) -> str:
    """Say what clients see after a publish."""
    count = count_text(len(published.repositories), "repository", "repositories")
    state = "clients now see" if published.changed else "clients see, as before,"
    return f"{state} {count} in {depot.published}"
