"""Destinations: added, given keys, shown, removed."""

from pathlib import Path

import pytest

from issmedia.base.errors import DepotError, FormatError, UntrustedError, UsageError
from issmedia.depot.depot import Depot
from issmedia.ops import setup, sites
from issmedia.ops.sites import SiteFacts
from tests.makers.documents import NOW
from tests.makers.sshkeys import ed25519_key

A, B = ed25519_key(1).public, ed25519_key(2).public


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    """A depot without destinations."""
    return setup.init(tmp_path / "hq", name="hq", site_id="0123456789abcdef" * 2, now=NOW)


def add(depot: Depot, label: str, *lines: str) -> SiteFacts:
    """Add a destination."""
    with depot.owned("test", now=NOW) as owned:
        return sites.add_site(owned, label, lines, now=NOW)


def events(depot: Depot) -> list[str]:
    """List what the ledger says after `init`."""
    with depot.catalog.reading() as db:
        return [entry.event for entry in db.ledger.entries()][1:]


def test_a_destination_is_added_with_keys_that_the_ledger_names(depot: Depot) -> None:
    added = add(depot, "lab", f"{A.line} release@lab", A.line)

    assert [key.fingerprint for key in added.keys] == [A.fingerprint]
    assert (added.site, added.last_export, added.receipt) == (None, None, None)
    assert sites.list_sites(depot, now=NOW) == (added,)
    assert events(depot) == ["site added", "site key pinned"]


def test_a_key_is_added_to_a_destination_that_is_there(depot: Depot) -> None:
    add(depot, "lab", A.line)

    added = add(depot, "lab", A.line, B.line)

    assert {key.fingerprint for key in added.keys} == {A.fingerprint, B.fingerprint}
    assert events(depot) == ["site added", "site key pinned", "site key pinned"]


def test_a_key_that_is_pinned_already_changes_nothing(depot: Depot) -> None:
    add(depot, "lab", A.line)

    add(depot, "lab", A.line)

    assert events(depot) == ["site added", "site key pinned"]


@pytest.mark.parametrize(
    ("label", "line", "error"),
    [
        ("lab", None, UsageError),
        ("LAB", B.line, DepotError),
        ("../x", None, UsageError),
        ("other", A.line, UsageError),
        ("other", "ssh-ed25519 AAAA", FormatError),
        ("other", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", UntrustedError),
    ],
    ids=["there already", "only in case", "no label", "the key of another", "no key", "a key of small order"],
)
def test_what_cannot_be_added_changes_nothing(
    depot: Depot, label: str, line: str | None, error: type[Exception]
) -> None:
    add(depot, "lab", A.line)
    before = sites.list_sites(depot, now=NOW)

    with pytest.raises(error):
        add(depot, label, *([line] if line else []))

    assert sites.list_sites(depot, now=NOW) == before
    assert events(depot) == ["site added", "site key pinned"]


def test_a_destination_is_removed_and_its_key_is_free(depot: Depot) -> None:
    add(depot, "lab", A.line)

    with depot.owned("test", now=NOW) as owned:
        removed = sites.remove_site(owned, "LAB", now=NOW)
    added = add(depot, "north", A.line)

    assert removed == "lab"
    assert sites.list_sites(depot, now=NOW) == (added,)
    assert events(depot)[2:] == ["site removed", "site added", "site key pinned"]


def test_what_is_not_there_cannot_be_shown_or_removed(depot: Depot) -> None:
    with pytest.raises(UsageError, match="no site lab"):
        sites.show_site(depot, "lab", now=NOW)
    with depot.owned("test", now=NOW) as owned, pytest.raises(UsageError, match="no site lab"):
        sites.remove_site(owned, "lab", now=NOW)

    assert events(depot) == []
