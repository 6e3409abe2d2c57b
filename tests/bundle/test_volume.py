"""The plan of a bundle: pure, deterministic, exact to the byte."""

from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from issmedia.base.digest import digest_of
from issmedia.base.errors import UsageError
from issmedia.bundle.layout import parse_sums
from issmedia.bundle.volume import Header, Plan, plan_bundle
from issmedia.model.documents import LeftOut
from issmedia.model.manifest import Count, Missing, Stored, parse_manifest
from issmedia.model.tree import parse_tree
from tests.makers.bundles import bundle_of, content_of
from tests.makers.documents import header, target

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
