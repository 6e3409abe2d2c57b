"""The plan of a bundle: pure, deterministic, exact to the byte."""

from pathlib import Path

import pytest
import zstandard
from msgspec.structs import replace

from issmedia.base.digest import digest_of
from issmedia.base.errors import UsageError
from issmedia.bundle.layout import blob_path, parse_sums
from issmedia.bundle.listing import unpack
from issmedia.bundle.planning import plan_bundle
from issmedia.bundle.volume import Plan
from issmedia.model.documents import LeftOut
from issmedia.model.manifest import Count, Missing, Stored, parse_manifest
from issmedia.model.target import Header, RepositoryTarget
from issmedia.model.tree import parse_tree
from tests.makers.bundles import bundle_of, content_of
from tests.makers.documents import bundle_base, header, target

ZOO, FARM = target("p/zoo"), target("q/farm", {"c.rpm": b"ccc", "a.rpm": b"a"})


def content(plan: Plan, path: str) -> bytes:
    """Give the bytes of a file that the plan itself makes."""
    found = next(file for file in plan.volumes[0].files if file.path == path)
    assert found.content is not None
    return found.content


def test_the_same_targets_in_any_order_give_the_same_bytes() -> None:
    one, other = plan_bundle(header(), (ZOO, FARM)), plan_bundle(header(), (FARM, ZOO))

    assert one == other
    assert one.id == digest_of(one.manifest_bytes)


@pytest.mark.parametrize(
    "changed",
    [
        header(destination="lab"),
        header(sequence=2),
        header(created="2026-06-01T12:00:01Z"),
        header(expires="2027-01-01T00:00:00Z"),
        replace(header(), notes="a note"),
    ],
)
def test_another_header_gives_another_bundle(changed: Header) -> None:
    assert plan_bundle(changed, (ZOO,)).id != plan_bundle(header(), (ZOO,)).id


def test_the_manifest_parses_and_its_sums_are_the_volumes() -> None:
    plan = plan_bundle(header(), (ZOO, FARM))

    manifest, volume = parse_manifest(plan.manifest_bytes), plan.volumes[0]

    assert manifest == plan.manifest
    assert manifest.volumes[0].sums == digest_of(volume.sums)
    assert parse_sums(volume.sums, where="here") == {file.path: file.sha256 for file in volume.files}


def test_what_is_planned_is_what_lies_on_disk_to_the_byte(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, keys=(b"key",), zoo={"a.rpm": b"aaaa", "d/b.rpm": b"same"}, farm={"c.rpm": b"same"})

    found = content_of(bundle.write(tmp_path / "stick"))

    planned = bundle.plan.volumes[0]
    apart = {name: found.pop(name) for name in ("manifest.json", "manifest.json.sig", "SHA256SUMS")}
    assert {path: (digest_of(data), len(data)) for path, data in found.items()} == {
        file.path: (file.sha256, file.size) for file in planned.files
    }
    assert (planned.entry.files, planned.entry.bytes) == (len(found), sum(map(len, found.values())))
    assert (apart["manifest.json"], apart["SHA256SUMS"]) == (bundle.plan.manifest_bytes, planned.sums)


def test_blobs_are_counted_once_in_the_bundle_and_in_each_repository() -> None:
    plan = plan_bundle(header(), (ZOO, FARM))

    counted = {repo.path: (repo.all, repo.added, repo.removed, repo.files) for repo in plan.manifest.repositories}

    assert counted == {
        "p/zoo": (Count(2, 3), Count(2, 3), Count(0, 0), 2),
        "q/farm": (Count(2, 4), Count(2, 4), Count(0, 0), 2),
    }
    assert plan.manifest.content == Count(3, 6)


def test_a_listing_is_one_zstd_frame_that_says_its_size() -> None:
    plan = plan_bundle(header(), (ZOO,))
    (entry,) = plan.manifest.trees

    stored = content(plan, f"trees/{ZOO.tree.digest}.jsonl.zst")

    assert entry.stored == Stored(digest_of(stored), len(stored))
    assert zstandard.get_frame_parameters(stored).content_size == entry.size
    assert parse_tree(zstandard.ZstdDecompressor().decompress(stored), where="here") == ZOO.tree


def test_two_repositories_of_one_tree_share_their_listing() -> None:
    twin = replace(ZOO, label="twin")

    plan = plan_bundle(header(), (ZOO, twin))

    assert len(plan.manifest.trees) == 1
    assert [repo.tree for repo in plan.manifest.repositories] == [ZOO.tree.digest] * 2


def test_pinned_keys_travel_as_blobs_and_are_not_offered_to_dnf() -> None:
    plan = plan_bundle(header(), (target("p/zoo", keys=(b"key",)), target("q/farm", keys=(b"key",))))

    paths = [file.path for file in plan.volumes[0].files]

    digest = digest_of(b"key")
    assert paths.count(f"blobs/{digest[:2]}/{digest}") == 1
    assert plan.manifest.repositories[0].keys == (digest,)
    assert b"gpgkey" not in content(plan, "issmedia.repo")


def test_the_client_file_asks_for_the_checks_that_upstream_allows() -> None:
    plan = plan_bundle(header(), (ZOO, replace(FARM, signed_metadata=True)))

    text = content(plan, "issmedia.repo").decode()

    assert "baseurl=file:///mnt/issmedia/repos/p/zoo/\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=0\n" in text
    assert "baseurl=file:///mnt/issmedia/repos/q/farm/\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\n" in text


def test_the_readme_names_every_repository_and_stays_within_80_columns() -> None:
    plan = plan_bundle(header(), (ZOO, FARM))

    lines = content(plan, "README.txt").decode().splitlines()

    assert "  repos/p/zoo/" in lines
    assert "      q/farm: 2 packages" in lines
    assert max(map(len, lines)) <= 80


def test_what_was_left_out_stands_in_the_manifest() -> None:
    plan = plan_bundle(header(), (target("p/zoo", incomplete=(LeftOut("x.rpm", "is missing"),)),))

    assert plan.manifest.incomplete == (Missing("p/zoo", "x.rpm", "is missing"),)


def test_nothing_to_export_is_said() -> None:
    with pytest.raises(UsageError, match="nothing to export"):
        plan_bundle(header(), ())


def test_paths_that_collide_on_the_volume_are_refused() -> None:
    twins = (replace(ZOO, label="sub"), replace(target("p/zoo", {"x": b""}), label="SUB"))

    with pytest.raises(UsageError, match="collide"):
        plan_bundle(header(), twins)


@pytest.mark.parametrize(
    "changed",
    [replace(header(), notes="x" * 5000), replace(header(), created="now")],
)
def test_a_manifest_that_the_other_side_could_not_read_is_not_planned(changed: Header) -> None:
    with pytest.raises(UsageError):
        plan_bundle(changed, (ZOO,))


def test_labels_differ_from_bundle_to_bundle() -> None:
    labels = {plan_bundle(header(sequence=number), (ZOO,)).manifest.volumes[0].label for number in range(1, 20)}

    assert len(labels) == 19
    assert all(len(label) <= 32 and label.isascii() and label.isupper() for label in labels)


REPOMD = "repodata/repomd.xml"
BASE = {"a.rpm": b"a", "b.rpm": b"bb", REPOMD: b"old"}
GROWN = {"a.rpm": b"a", "c.rpm": b"ccc", REPOMD: b"new!"}


def delta_of(*targets: RepositoryTarget) -> Plan:
    """Plan a bundle that starts from the first of its chain, as far as the targets do."""
    return plan_bundle(header(sequence=2, bases=(bundle_base(1),)), targets)


def payload(plan: Plan) -> dict[str, int]:
    """Map path → bytes of what lies on the volume and was not made by the plan."""
    return {file.path: file.size for file in plan.volumes[0].files if file.content is None}


def test_a_delta_carries_only_what_its_base_lacks() -> None:
    plan = delta_of(target("p/zoo", GROWN, bases=(BASE,)))

    (repo,) = plan.manifest.repositories
    assert payload(plan) == {"repos/p/zoo/c.rpm": 3, blob_path(digest_of(b"new!")): 4}
    assert (repo.all, repo.added, repo.removed) == (Count(3, 8), Count(2, 7), Count(2, 5))
    assert (plan.manifest.kind, plan.manifest.content) == ("delta", Count(2, 7))
    assert repo.base_trees == (target("p/zoo", BASE).tree.digest,)


def test_with_several_bases_what_any_of_them_lacks_travels() -> None:
    plan = delta_of(target("p/zoo", GROWN, bases=(BASE, {"c.rpm": b"ccc", REPOMD: b"new!"})))

    assert payload(plan) == {
        "repos/p/zoo/a.rpm": 1,
        "repos/p/zoo/c.rpm": 3,
        f"repos/p/zoo/{REPOMD}": 4,
    }


def test_a_repository_that_a_base_lacks_travels_whole_and_is_offered_to_dnf() -> None:
    plan = delta_of(target("p/zoo", GROWN, bases=(BASE,)), target("q/farm", GROWN))

    client_file = content(plan, "issmedia.repo")
    assert [path for path in payload(plan) if "farm" in path] == [f"repos/q/farm/{path}" for path in sorted(GROWN)]
    assert (b"repos/q/farm/" in client_file, b"repos/p/zoo/" in client_file) == (True, False)
    assert [len(repo.base_trees) for repo in plan.manifest.repositories] == [1, 0]


def test_a_bundle_of_which_every_repository_travels_whole_is_full() -> None:
    plan = delta_of(ZOO)

    assert (plan.manifest.kind, plan.manifest.bases) == ("full", ())
    assert plan == plan_bundle(header(sequence=2), (ZOO,))


MANY = {f"Packages/{number}.rpm": b"%d" % number for number in range(200)}
MORE = MANY | {"Packages/more.rpm": b"more"}


@pytest.mark.parametrize(
    ("bases", "patched"),
    [((), False), ((MANY,), True), ((MANY, MANY), True), ((MANY, BASE), False)],
    ids=["none", "one", "one twice", "two"],
)
def test_a_listing_is_a_patch_where_there_is_one_base(bases: tuple[dict[str, bytes], ...], patched: bool) -> None:
    plan = delta_of(target("p/zoo", MORE, bases=bases))

    (entry,) = plan.manifest.trees
    base = target("p/zoo", MANY).tree
    stored = content(plan, f"trees/{entry.digest}.jsonl.zst")
    found = unpack(stored, entry.size, base.encode() if patched else None, where="here")
    assert entry.dictionary == (base.digest if patched else None)
    assert parse_tree(found, where="here") == target("p/zoo", MORE).tree


def test_an_empty_delta_proves_with_little_that_nothing_changed() -> None:
    repositories = [f"p/repo-{number}" for number in range(5)]
    plan = delta_of(
        *(target(path, MANY | {"x": path.encode()}, bases=(MANY | {"x": path.encode()},)) for path in repositories)
    )

    made = [file.size for file in plan.volumes[0].files if not file.path.startswith(("README", "schemas/"))]
    assert (payload(plan), plan.manifest.content) == ({}, Count(0, 0))
    assert sum(made) + len(plan.manifest_bytes) + len(plan.volumes[0].sums) <= 14_000


def test_the_same_bases_in_any_order_give_the_same_bytes() -> None:
    one, other = (target("p/zoo", GROWN, bases=bases) for bases in ((BASE, MANY), (MANY, BASE)))

    assert delta_of(one, FARM).manifest_bytes == delta_of(FARM, other).manifest_bytes


def test_the_readme_of_a_delta_says_what_it_starts_from_within_80_columns() -> None:
    bases = tuple(map(bundle_base, range(1, 9)))
    plan = plan_bundle(header(sequence=9, bases=bases), (target("p/zoo", GROWN, bases=(BASE,)),))

    lines = content(plan, "README.txt").decode().splitlines()

    assert [f"  hq #{number}, 2026-06-01" in lines for number in range(1, 9)] == [True] * 8
    assert max(map(len, lines)) <= 80
