"""init, product, repo: names, sources, pinned keys."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from issmedia.base.digest import Digest
from issmedia.base.errors import DepotError, FormatError, UsageError
from issmedia.base.events import Report, ignore
from issmedia.content.yum.judge import Judge
from issmedia.depot.depot import Depot, OwnedDepot
from issmedia.model.documents import Snapshot
from issmedia.model.judgement import Counts, Judged, Outcome
from issmedia.model.openpgp import grouped
from issmedia.model.pinning import VendorKey
from issmedia.ops import setup
from issmedia.ops.setup import NOTHING_SAID, KeyFile, Signatures
from tests.makers.documents import NOW, SITE
from tests.makers.openpgp import openpgp_key

VENDOR, STRANGER, OLD = openpgp_key("vendor"), openpgp_key("other"), openpgp_key("vendor", lives_s=100)
KEY, OTHER = VENDOR.public, STRANGER.public


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    """A new depot."""
    return setup.init(tmp_path / "depot", name="hq", site_id=SITE.id, now=NOW)


def said(*keys: bytes, **more: Any) -> Signatures:
    """Say that keys shall be pinned, and more of signatures."""
    return Signatures(tuple(KeyFile("key.asc", key) for key in keys), **more)


def add(depot: Depot, path: str = "p/zoo", keys: tuple[bytes, ...] = ()) -> None:
    """Add a repository."""
    with depot.owned("test", now=NOW) as owned:
        setup.add_repository(owned, path, "/srv", name=None, signatures=said(*keys), now=NOW)


def change(
    owned: OwnedDepot, *, source: str | None = None, signatures: Signatures = NOTHING_SAID, report: Report = ignore
) -> list[str]:
    """Change p/zoo and give the fingerprints of its keys."""
    found = setup.change_repository(
        owned, "p/zoo", source=source, name=None, signatures=signatures, now=NOW, report=report
    )
    return [key.fingerprint for one in found.pinned for key in one.keys]


def kept(depot: Depot) -> list[bytes]:
    """Give the files of keys that p/zoo has pinned."""
    return [depot.store.read(key, 1 << 20) for key in setup.repository_of(depot, "p/zoo").keys]


def read_keys(data: bytes) -> tuple[VendorKey, ...]:
    """Read a file of keys."""
    with Judge() as judge:
        return judge.read_keys(data, where="here")


def events(depot: Depot) -> list[str]:
    """List what the ledger says."""
    with depot.catalog.reading() as db:
        return [entry.event for entry in db.ledger.entries()]


def test_a_depot_has_an_identity_and_a_first_entry(depot: Depot) -> None:
    assert depot.site() == SITE
    assert events(depot) == ["init"]
    assert {path.name for path in depot.root.iterdir()} == {
        "store",
        "catalog.sqlite",
        "keys",
        "keyring",
        "publications",
        "lock",
    }


def test_a_second_init_is_refused_and_changes_nothing(depot: Depot) -> None:
    with pytest.raises(DepotError, match="there is a depot already"):
        setup.init(depot.root, name="other", site_id="f" * 32, now=NOW)

    assert depot.site() == SITE


def test_an_init_that_was_killed_before_its_identity_is_finished_by_the_next(tmp_path: Path) -> None:
    half = Depot(tmp_path / "depot")
    half.root.mkdir()
    half.catalog.prepare()

    setup.init(half.root, name="hq", site_id=SITE.id, now=NOW)

    assert half.site() == SITE


def test_the_product_is_made_when_it_is_absent(depot: Depot) -> None:
    add(depot, "p/zoo")
    add(depot, "p/farm")

    with depot.catalog.reading() as db:
        assert [one.label for one in db.names.products()] == ["p"]
        assert [one.path for one in db.names.repositories()] == ["p/farm", "p/zoo"]


@pytest.mark.parametrize("path", ["zoo", "", "/zoo", "p/", "p/a/b", "p/..", "issmedia.repo/x", "p/zoo "])
def test_what_is_not_product_and_repository_is_refused(depot: Depot, path: str) -> None:
    with pytest.raises(UsageError):
        add(depot, path)


REFUSED = ["", "relative/dir", "ftp://host/x", "https://alice:s3cret@host/x", "https://host/x?token=1"]


@pytest.mark.parametrize("source", REFUSED)
def test_what_is_no_source_is_neither_added_nor_set(depot: Depot, source: str) -> None:
    add(depot)
    with depot.owned("test", now=NOW) as owned:
        with pytest.raises(UsageError):
            setup.add_repository(owned, "p/bad", source, name=None, now=NOW)
        with pytest.raises(UsageError):
            change(owned, source=source)

    with depot.catalog.reading() as db:
        assert [(one.path, one.source) for one in db.names.repositories()] == [("p/zoo", "/srv")]


def test_keys_are_added_to_those_that_are_pinned(depot: Depot) -> None:
    add(depot, keys=(KEY,))
    with depot.owned("test", now=NOW) as owned:
        kept_as_they_are = change(owned, source="/other")
        added = change(owned, signatures=said(OTHER, KEY, OTHER))

    assert kept_as_they_are == [VENDOR.fingerprint]
    assert added == [VENDOR.fingerprint, STRANGER.fingerprint]
    assert events(depot) == ["init", "keys pinned", "keys pinned"]
    with depot.catalog.reading() as db:
        newest = db.ledger.newest("keys pinned")
    assert newest is not None
    assert newest.facts["fingerprints"] == sorted([VENDOR.fingerprint, STRANGER.fingerprint])


def test_a_file_of_several_keys_becomes_a_blob_for_each_in_exact_armor(depot: Depot) -> None:
    add(depot, keys=(b"Our keys:\n" + KEY + b"\n" + OTHER,))

    found = kept(depot)

    assert [(data.count(b"BEGIN"), data.startswith(b"-----BEGIN")) for data in found] == [(1, True), (1, True)]


def test_keys_are_shown_before_they_are_pinned(depot: Depot) -> None:
    told: list[str] = []
    add(depot)

    with depot.owned("test", now=NOW) as owned:
        change(owned, signatures=said(KEY), report=lambda event: told.append(f"{event} {kept(depot)}"))

    (line,) = told
    assert grouped(VENDOR.fingerprint) in line
    assert VENDOR.user_id in line
    assert line.endswith("[]")


def test_a_key_with_other_bytes_is_refused_unless_it_is_named(depot: Depot) -> None:
    add(depot, keys=(OLD.public,))
    before = kept(depot)
    with depot.owned("test", now=NOW) as owned:
        with pytest.raises(UsageError, match="pinned already") as caught:
            change(owned, signatures=said(KEY, OTHER))
        refused = kept(depot)
        change(owned, signatures=said(KEY, renew=(grouped(VENDOR.fingerprint).lower(),)))

    assert caught.value.problems[0].where == grouped(VENDOR.fingerprint)
    assert refused == before
    assert [read_keys(data)[0].expires for data in kept(depot)] == [None]


@pytest.mark.parametrize(
    "gone", [said(KEY, renew=(VENDOR.fingerprint,)), said(unpin=(VENDOR.fingerprint,))], ids=["renewed", "unpinned"]
)
def test_a_key_that_is_gone_vouches_for_no_snapshot_any_more(depot: Depot, gone: Signatures) -> None:
    add(depot, keys=(OLD.public,))
    trust = Outcome("require", "require", counts=Counts(good=1), metadata=Judged("good", VENDOR.fingerprint))
    snapshots = [Snapshot("p/zoo", Digest(one * 64), NOW, 1, 1, 1, False, trust=trust) for one in "12"]
    with depot.catalog.changing() as db:
        for snapshot in snapshots:
            db.names.add_snapshot(snapshot)

    with depot.owned("test", now=NOW) as owned:
        change(owned, signatures=said(OTHER))
        with depot.catalog.reading() as db:
            added = db.names.snapshots("p/zoo")
        change(owned, signatures=gone)

    with depot.catalog.reading() as db:
        assert added == snapshots
        assert db.names.snapshots("p/zoo") == [replace(one, trust=trust.doubted()) for one in snapshots]
        assert db.names.ever_signed("p/zoo")


def test_a_key_is_unpinned_by_its_fingerprint(depot: Depot) -> None:
    add(depot, keys=(KEY, OTHER))

    with depot.owned("test", now=NOW) as owned:
        left = change(owned, signatures=said(unpin=(VENDOR.fingerprint,)))

    assert left == [STRANGER.fingerprint]
    assert events(depot)[-1] == "keys pinned"


def test_what_is_not_pinned_cannot_be_unpinned_or_renewed(depot: Depot) -> None:
    add(depot, keys=(KEY,))
    with depot.owned("test", now=NOW) as owned:
        for wrong in (said(unpin=(STRANGER.fingerprint,)), said(OTHER, renew=(VENDOR.fingerprint,))):
            with pytest.raises(UsageError, match="no key"):
                change(owned, signatures=wrong)

    assert len(kept(depot)) == 1


def test_files_that_an_earlier_issmedia_pinned_are_read_and_taken_apart_only_where_needed(depot: Depot) -> None:
    add(depot)
    with depot.owned("test", now=NOW) as owned:
        with owned.store.writing() as writing:
            several, damaged = writing.add_bytes(KEY + OTHER), writing.add_bytes(b"no key")
        with owned.catalog.changing() as db:
            db.names.set_keys("p/zoo", (several, damaged))
        pinned = setup.pinned_keys(depot, setup.repository_of(depot, "p/zoo"))
        added = change(owned, signatures=said(openpgp_key("third").public))
        untouched = kept(depot)[0]
        left = change(owned, signatures=said(unpin=(VENDOR.fingerprint, damaged)))

    assert [(len(one.keys), bool(one.fault)) for one in pinned] == [(2, False), (0, True)]
    assert added == [VENDOR.fingerprint, STRANGER.fingerprint, openpgp_key("third").fingerprint]
    assert untouched == KEY + OTHER
    assert left == [STRANGER.fingerprint, openpgp_key("third").fingerprint]


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"x",
        openpgp_key("vendor").secret,
        KEY[:-40],
        KEY + b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
        b"\0" * (2 << 20),
    ],
    ids=["empty", "no armor", "private", "cut", "half a key behind", "long"],
)
def test_what_is_no_public_key_is_not_pinned(depot: Depot, key: bytes) -> None:
    with pytest.raises(FormatError):
        add(depot, keys=(key,))

    with depot.catalog.reading() as db:
        assert db.names.repositories() == []
    assert events(depot) == ["init"]


def test_policies_are_kept_changed_taken_back_and_recorded(depot: Depot) -> None:
    add(depot)
    with depot.owned("test", now=NOW) as owned:
        change(owned, signatures=said(gpgcheck="warn", repo_gpgcheck="require"))
        chosen = setup.repository_of(depot, "p/zoo")
        change(owned, source="/other")
        change(owned, signatures=said(gpgcheck="default"))

    back = setup.repository_of(depot, "p/zoo")
    assert (chosen.gpgcheck, chosen.repo_gpgcheck) == ("warn", "require")
    assert (back.gpgcheck, back.repo_gpgcheck) == (None, "require")
    assert events(depot) == ["init", "signature policy", "signature policy"]


def test_a_removed_repository_is_remembered_by_the_ledger(depot: Depot) -> None:
    add(depot)

    with depot.owned("test", now=NOW) as owned:
        setup.remove_repository(owned, "p/zoo", now=NOW)

    assert events(depot) == ["init", "repository removed"]
