"""import: upstream's signatures are judged here, by the keys that are pinned here, before any name moves."""

from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.errors import UntrustedError
from issmedia.base.events import Event, Warned
from issmedia.content.yum.recheck import recheck
from issmedia.depot.depot import Depot
from issmedia.model.documents import Product, Repository, Snapshot
from issmedia.model.judgement import Counts, Policy
from issmedia.ops import setup
from issmedia.ops.evidence import trust_in_import
from issmedia.ops.imports import Imported, import_bundle
from tests.makers.bundles import Bundle, bundle_of, verified
from tests.makers.documents import NOW
from tests.makers.history import read_inventory
from tests.makers.openpgp import openpgp_key
from tests.makers.rpms import build_rpm

VENDOR = openpgp_key("vendor")
GOOD, PLAIN = build_rpm("good", signer=VENDOR.signer), build_rpm("plain")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle with a repository whose packages are signed, all but one, and one that nobody signs."""
    return bundle_of(tmp_path, zoo={"a.rpm": GOOD, "b.rpm": PLAIN}, farm={"c.rpm": PLAIN})


@pytest.fixture
def stick(bundle: Bundle, tmp_path: Path) -> Path:
    """Its volume."""
    return bundle.write(tmp_path / "stick")


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    """A site that pinned the vendor's key for the first."""
    depot = setup.init(tmp_path / "lab", name="lab", site_id="f" * 32, now=NOW)
    with depot.owned("set", now=NOW) as owned:
        with owned.store.writing() as writing:
            key = writing.add_bytes(VENDOR.public)
        with owned.catalog.changing() as db:
            db.names.add_product(Product("p", "p"))
            db.names.add_repository(Repository("p", "zoo", "Zoo", keys=(key,)))
    return depot


def choose(depot: Depot, policy: Policy | None) -> None:
    """Choose the policy of that repository."""
    with depot.owned("set", now=NOW) as owned:
        setup.change_repository(
            owned, "p/zoo", source=None, name=None, signatures=setup.Signatures(gpgcheck=policy), now=NOW
        )


def imported(depot: Depot, root: Path, stick: Path, events: list[Event]) -> Imported:
    """Import a volume."""
    with depot.owned("import", now=NOW) as owned, verified(root, stick) as found:
        return import_bundle(
            found, owned, inventory=read_inventory, judge=recheck, now=NOW, workers=2, report=events.append
        )


def current(depot: Depot, path: str) -> Snapshot | None:
    """Give what a repository stands at."""
    with depot.catalog.reading() as db:
        return db.names.current(path)


def test_what_is_not_good_refuses_the_whole_bundle_and_changes_no_name(
    depot: Depot, tmp_path: Path, stick: Path
) -> None:
    steps: list[str] = []

    with pytest.raises(UntrustedError) as caught, files.observing(lambda kind, name: steps.append(kind)):
        imported(depot, tmp_path, stick, [])

    assert [one.where for one in caught.value.problems] == ["p/zoo: b.rpm"]
    assert "issmedia repo set p/zoo --gpgcheck warn" in (caught.value.hint or "")
    assert (current(depot, "p/zoo"), current(depot, "p/farm"), steps.count("commit")) == (None, None, 0)


def test_with_a_warning_it_goes_on_from_what_is_in_the_store(depot: Depot, tmp_path: Path, stick: Path) -> None:
    with pytest.raises(UntrustedError):
        imported(depot, tmp_path, stick, [])
    choose(depot, "warn")
    events: list[Event] = []

    done = imported(depot, tmp_path, stick, events)

    assert (len(done.moved), done.added) == (2, 0)
    assert [one.where for one in events if isinstance(one, Warned)] == ["p/zoo: b.rpm"]


def test_the_snapshot_has_the_judgement_of_this_site(bundle: Bundle, depot: Depot, tmp_path: Path, stick: Path) -> None:
    choose(depot, "warn")
    imported(depot, tmp_path, stick, [])

    zoo, farm = current(depot, "p/zoo"), current(depot, "p/farm")

    assert zoo and zoo.trust and zoo.trust.counts == Counts(good=1, unsigned=1)
    assert farm and farm.trust is None
    (told,) = trust_in_import(depot, bundle.plan.manifest)
    assert (told.repository, told.here, told.claimed) == ("p/zoo", zoo.trust, None)


def test_where_it_is_off_nothing_is_judged(depot: Depot, tmp_path: Path, stick: Path) -> None:
    choose(depot, "off")

    imported(depot, tmp_path, stick, [])

    zoo = current(depot, "p/zoo")
    assert zoo and zoo.trust is None
