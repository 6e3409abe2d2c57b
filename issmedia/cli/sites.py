"""site: the destinations of bundles."""

import click

from issmedia.base.units import count_text
from issmedia.cli.face import Face, command
from issmedia.cli.keys import key_line
from issmedia.cli.render import table
from issmedia.depot.depot import open_depot
from issmedia.ops import sites
from issmedia.ops.sites import ReceiptFacts, SiteFacts


@click.group("site")
def site_command() -> None:
    """Sites that bundles are made for, and whose receipts are accepted."""


@command(site_command, "add", "issmedia site add lab --key ./lab.pub")
@click.argument("label")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="FILE|'ssh-ed25519 AAAA…'",
    help="A key that signs its receipts; repeatable.",
)
def site_add(face: Face, label: str, keys: tuple[str, ...]) -> None:
    """Add a destination, or keys to one; compare fingerprints by another way than the medium.

    LABEL is the name the site gave itself at `init`: only that one imports bundles made for it.
    """
    with open_depot(face.root).owned("site add", now=face.now) as depot:
        site = sites.add_site(depot, label, [key_line(key) for key in keys], now=face.now)
    face.answer(site, lambda: "\n".join((f"site {site.label}: {count_text(len(site.keys), 'key')}", *_keys(site))))


@command(site_command, "list", "issmedia site list")
def site_list(face: Face) -> None:
    """List destinations."""
    found = sites.list_sites(open_depot(face.root), now=face.now)
    rows = [(one.label, str(len(one.keys) or ""), _exported(one), _receipt(one.receipt)) for one in found]
    face.answer(found, lambda: table(("SITE", "KEYS", "LAST EXPORT", "NEWEST RECEIPT"), rows))


@command(site_command, "show", "issmedia site show lab")
@click.argument("label")
def site_show(face: Face, label: str) -> None:
    """Show a destination: its keys, its chain, its newest receipt and how old that is."""
    site = sites.show_site(open_depot(face.root), label, now=face.now)
    face.answer(site, lambda: _site(site))


@command(site_command, "remove", "issmedia site remove lab --yes")
@click.argument("label")
@click.option("--yes", is_flag=True, help="Do it; its keys and its receipts are forgotten.")
def site_remove(face: Face, label: str, yes: bool) -> None:
    """Forget a destination; the bundles made for it stay in the history."""
    if not yes:
        raise click.UsageError(f"this forgets {label}, its keys and its receipts; say --yes to do it")
    with open_depot(face.root).owned("site remove", now=face.now) as depot:
        removed = sites.remove_site(depot, label, now=face.now)
    face.answer({"removed": removed}, lambda: f"site {removed} removed")


def _site(site: SiteFacts) -> str:
    lines = [
        f"site {site.label} ({site.site or 'its id is in its first receipt'}), added {site.added}",
        f"last export: {_exported(site)}",
        f"newest receipt: {_receipt(site.receipt)}",
    ]
    return "\n".join((*lines, *_keys(site)))


def _keys(site: SiteFacts) -> tuple[str, ...]:
    return tuple(f"receipts signed by {key.fingerprint}" for key in site.keys)


def _exported(site: SiteFacts) -> str:
    last = site.last_export
    return "nothing yet" if last is None else f"#{last.sequence} of {last.created[:10]}, {last.id[:16]}"


def _receipt(receipt: ReceiptFacts | None) -> str:
    if receipt is None:
        return "none yet"
    return f"{receipt.created[:10]}, {count_text(receipt.age_days, 'day')} ago, {receipt.id[:16]}"
