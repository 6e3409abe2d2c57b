"""export: onto media, in parts, with parity; stopped anywhere, the same call goes on as the same bundle."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from issmedia.base import files
from issmedia.base.digest import digest_of
from issmedia.base.errors import DepotError, UsageError
from issmedia.base.events import Event, Report, Started, ignore
from issmedia.bundle import layout
from issmedia.bundle.laying import describe_nothing
from issmedia.bundle.sets import Destination
from issmedia.bundle.volume import Plan
from issmedia.content.yum.recheck import recheck
from issmedia.depot.depot import Depot
from issmedia.depot.keys import SigningKey, generate, load
from issmedia.model.documents import Product, Repository, Snapshot
from issmedia.model.manifest import Tool
from issmedia.model.trust import NAMESPACE_BUNDLE
from issmedia.ops import setup
from issmedia.ops.exports import Describing, ExportOptions, complete, export_bundle, plan_export
from issmedia.ops.imports import import_bundle
from tests.makers.bundles import SIGNER, content_of, verified
from tests.makers.documents import NOW, tree_with
from tests.makers.history import read_inventory
from tests.makers.volumes import MIB, media_of, packages_on, paths, random_content

CONTENT = random_content(12, 60_000)
ON_DISCS = ExportOptions(media=media_of("500000"))
WITH_PARITY = replace(ON_DISCS, parity=1)
PLAIN = Describing(describe_nothing)


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    """The depot of a site with one repository."""
    return synced(tmp_path / "hq", CONTENT)


def synced(root: Path, content: Mapping[str, bytes]) -> Depot:
    """Make a depot that synced `p/zoo`."""
    depot = setup.init(root, name="hq", site_id="a" * 32, now=NOW)
    tree = tree_with(content)
    with depot.owned("sync", now=NOW) as owned:
        with owned.store.writing() as writing:
            for data in (tree.encode(), *content.values()):
                writing.add_bytes(data)
        with owned.catalog.changing() as db:
            db.names.add_product(Product("p", "p"))
            db.names.add_repository(Repository("p", "zoo", "Zoo"))
            facts = Snapshot("p/zoo", tree.digest, NOW, len(content), len(content), tree.size, False, (), None)
            db.names.add_snapshot(facts)
    return depot


def export(
    depot: Depot,
    to: Destination,
    options: ExportOptions = ON_DISCS,
    *,
    now: str = NOW,
    describing: Describing = PLAIN,
    key: SigningKey = SIGNER,
    report: Report = ignore,
) -> Plan:
    """Plan and write as the command line does."""
    return exported(depot, to, options, now=now, describing=describing, key=key, report=report)[0]


def exported(
    depot: Depot,
    to: Destination,
    options: ExportOptions = ON_DISCS,
    *,
    now: str = NOW,
    describing: Describing = PLAIN,
    key: SigningKey = SIGNER,
    report: Report = ignore,
) -> tuple[Plan, tuple[str, ...]]:
    """Do that, and say who signed."""
    with depot.owned("export", now=now) as owned:
        found = plan_export(owned, options, to.directory, describing=describing, tool=Tool("t", "0"), now=now)
        plan = complete(found, owned, to.directory, workers=2, report=report)
        signed = export_bundle(
            plan,
            owned,
            to,
            sign=lambda data: key.sign(data, NAMESPACE_BUNDLE),
            signers=[key.public.fingerprint],
            now=now,
            workers=2,
            report=report,
        )
    return plan, signed


def arrives(root: Path, content: Mapping[str, bytes], *volumes: Path) -> bool:
    """Say whether a site that gets these volumes has the content then."""
    lab = setup.init(root / "lab", name="lab", site_id="f" * 32, now=NOW)
    with lab.owned("import", now=NOW) as owned, verified(root, *volumes) as bundle:
        import_bundle(bundle, owned, inventory=read_inventory, judge=recheck, now=NOW, workers=2, report=ignore)
    with lab.catalog.reading() as db:
        named = db.names.repository("p/zoo") is not None
    return named and all(lab.store.holds(digest_of(data)) for data in content.values())


class StopError(Exception):
    """Stands for the kill in these tests."""


def stopped(run: Callable[[], object], kind: str, ends: str) -> None:
    """Stop a run before a change of the disk."""

    def stop(step: str, name: str) -> None:
        if step == kind and name.endswith(ends):
            raise StopError

    with files.observing(stop), pytest.raises(StopError):
        run()


def test_parity_without_media_is_refused(depot: Depot, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="parity wants media") as caught:
        export(depot, Destination(tmp_path / "set"), ExportOptions(parity=1))

    assert "--medium" in (caught.value.hint or "")
    assert not (tmp_path / "set").exists()


def test_a_set_on_media_arrives(depot: Depot, tmp_path: Path) -> None:
    plan = export(depot, Destination(tmp_path / "set"))

    assert len(plan.volumes) == 3
    assert arrives(tmp_path, CONTENT, tmp_path / "set")


def test_a_set_with_parity_arrives_without_any_one_volume(depot: Depot, tmp_path: Path) -> None:
    plan = export(depot, Destination(tmp_path / "set"), WITH_PARITY)
    volumes = sorted((tmp_path / "set").iterdir())

    recovery = plan.manifest.recovery
    assert recovery is not None
    assert (recovery.k, recovery.m, recovery.volumes) == (len(volumes) - 1, 1, (len(volumes),))
    for lost in range(len(volumes)):
        root = tmp_path / f"without-{lost}"
        assert arrives(root, CONTENT, *volumes[:lost], *volumes[lost + 1 :])


def test_nothing_of_the_work_on_parity_stays(depot: Depot, tmp_path: Path) -> None:
    plan = export(depot, Destination(tmp_path / "set"), WITH_PARITY)

    assert {path.name for path in (tmp_path / "set").iterdir()} == {one.entry.label for one in plan.volumes}


@pytest.mark.parametrize(
    ("kind", "ends"),
    [("rename", "0001"), ("rename", "SHA256SUMS"), ("commit", "catalog.sqlite"), ("rename", "manifest.json")],
)
def test_a_stopped_export_with_parity_goes_on_as_the_same_bundle(
    depot: Depot, tmp_path: Path, kind: str, ends: str
) -> None:
    to = Destination(tmp_path / "set")
    stopped(lambda: export(depot, to, WITH_PARITY), kind, ends)

    again = export(depot, to, WITH_PARITY, now="2026-06-02T12:00:00Z")

    with depot.catalog.reading() as db:
        recorded = [one.id for one in db.history.all()]
    assert recorded == [again.id]
    assert again.manifest.sequence == 1
    assert sorted(path.name for path in to.directory.iterdir()) == [one.entry.label for one in again.volumes]
    assert arrives(tmp_path, CONTENT, to.directory)


def test_the_second_bundle_is_written_to_another_place(depot: Depot, tmp_path: Path) -> None:
    first = export(depot, Destination(tmp_path / "one"))
    second = export(depot, Destination(tmp_path / "two"), now="2026-06-02T12:00:00Z")

    assert (second.manifest.sequence, second.manifest.previous) == (2, first.id)


LARGE = {"large.rpm": random_content(1, 3 * MIB + 5)["1-000.rpm"], "small.rpm": b"small"}


def test_a_file_larger_than_the_medium_travels_in_parts_and_arrives_whole(tmp_path: Path) -> None:
    depot = synced(tmp_path / "hq", LARGE)

    plan = export(depot, Destination(tmp_path / "set"), ExportOptions(media=media_of("1900000")))

    (split,) = plan.manifest.split
    whole = b"".join(part.read_bytes() for part in sorted((tmp_path / "set").rglob("*.00[1-9]"), key=lambda p: p.name))
    assert whole == LARGE["large.rpm"]
    assert split.sha256 == digest_of(whole)
    assert arrives(tmp_path, LARGE, tmp_path / "set")


def test_without_leave_to_split_it_is_refused_by_name_and_nothing_is_written(tmp_path: Path) -> None:
    depot = synced(tmp_path / "hq", LARGE)
    before = content_of(depot.root)

    with pytest.raises(UsageError, match="files larger than the medium holds") as caught:
        export(depot, Destination(tmp_path / "set"), ExportOptions(media=media_of("1900000"), split=False))

    assert [one.where for one in caught.value.problems] == ["repos/p/zoo/large.rpm"]
    assert not (tmp_path / "set").exists()
    assert {path for path in content_of(depot.root) if "store" in path} == {path for path in before if "store" in path}


def test_a_blob_that_rotted_is_not_cut(tmp_path: Path) -> None:
    depot = synced(tmp_path / "hq", LARGE)
    rotten = Path(depot.store.path(digest_of(LARGE["large.rpm"])))
    rotten.chmod(0o644)
    rotten.write_bytes(bytes(len(LARGE["large.rpm"])))

    with pytest.raises(DepotError) as caught:
        export(depot, Destination(tmp_path / "set"), ExportOptions(media=media_of("1900000")))

    assert digest_of(LARGE["large.rpm"]) in f"{caught.value.where} {caught.value.message}"


def test_a_rotten_blob_spoils_no_parity(depot: Depot, tmp_path: Path) -> None:
    rotten = Path(depot.store.path(digest_of(CONTENT["1-003.rpm"])))
    rotten.chmod(0o644)
    rotten.write_bytes(bytes(60_000))

    with pytest.raises(DepotError):
        export(depot, Destination(tmp_path / "set"), WITH_PARITY)

    assert not list((tmp_path / "set").glob("*/manifest.json"))


def test_with_another_finished_bundle_in_the_way_no_parity_is_computed(depot: Depot, tmp_path: Path) -> None:
    to = Destination(tmp_path / "set")
    export(depot, to, WITH_PARITY)
    before = content_of(to.directory)
    with depot.catalog.changing() as db:
        db.names.add_product(Product("q", "q"))
        db.names.add_repository(Repository("q", "zoo", "Zoo"))
        tree = tree_with(CONTENT)
        facts = Snapshot("q/zoo", tree.digest, NOW, len(CONTENT), len(CONTENT), tree.size, False, (), None)
        db.names.add_snapshot(facts)
    events: list[Event] = []

    with pytest.raises(UsageError, match="holds a finished bundle"):
        export(depot, to, WITH_PARITY, now="2026-06-02T12:00:00Z", report=events.append)

    assert not [one for one in events if isinstance(one, Started)]
    assert content_of(to.directory) == before


def test_all_who_signed_are_named_those_of_an_earlier_run_first(depot: Depot, tmp_path: Path) -> None:
    first, second = (generate(depot.keys, name, "ed25519", passphrase=None, before=lambda _key: None) for name in "ab")
    to = Destination(tmp_path / "set")
    stopped(lambda: export(depot, to, key=load(depot.keys, "a", lambda: None)), "rename", "manifest.json")

    _, signed = exported(depot, to, key=load(depot.keys, "b", lambda: None))

    assert signed == (first.fingerprint, second.fingerprint)


def test_what_is_urgent_is_asked_of_the_trees_and_lies_on_volume_1(depot: Depot, tmp_path: Path) -> None:
    late = digest_of(CONTENT["1-011.rpm"])
    plain = export(depot, Destination(tmp_path / "one"))
    urgent = Describing(
        describe_nothing, lambda trees: frozenset({late} if list(trees.values()) == [tree_with(CONTENT)] else ())
    )

    plan = export(depot, Destination(tmp_path / "two"), describing=urgent)

    assert "p/zoo/1-011.rpm" not in packages_on(plain)[0]
    assert "p/zoo/1-011.rpm" in packages_on(plan)[0]


@pytest.mark.parametrize("inside", ["", "store", "new"])
def test_parity_is_not_laid_down_in_the_depot(depot: Depot, inside: str) -> None:
    before = sorted(content_of(depot.root))

    with pytest.raises((DepotError, UsageError)):
        export(depot, Destination(depot.root / inside), WITH_PARITY)

    assert sorted(content_of(depot.root)) == before


def test_no_parity_lies_where_none_was_asked_for(depot: Depot, tmp_path: Path) -> None:
    plan = export(depot, Destination(tmp_path / "set"))

    assert plan.manifest.recovery is None
    assert not any(path.startswith(layout.PARITY) for own in paths(plan) for path in own)
