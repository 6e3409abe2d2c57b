"""The plan of many volumes: deterministic, never a byte over, and refused by name where it cannot be."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import UsageError
from issmedia.bundle import layout
from issmedia.bundle.loading import Media, room_of
from issmedia.bundle.planning import draft, finish
from issmedia.bundle.volume import Plan, PlannedFile
from issmedia.model.medium import FILE_SYSTEMS, Medium
from issmedia.model.recovery import INDEX, IndexFile, Recovery, parity_files
from issmedia.model.target import RepositoryTarget
from tests.makers.documents import header, target
from tests.makers.volumes import MIB, describe, drafted, media_of, packages_on, paths, planned, repository

SYSTEMS: list[str | None] = [None, *FILE_SYSTEMS]
SIZE, GIB = "4000000", 1 << 30


def require_fitting(plan: Plan, media: Sequence[Medium]) -> None:
    """See that no volume takes more than its medium has, as its file system counts it anew."""
    size = len(plan.manifest_bytes)
    for volume in plan.volumes:
        medium = media[min(volume.entry.number, len(media)) - 1]
        apart = [
            PlannedFile(layout.MANIFEST, Digest("m"), size),
            PlannedFile(layout.SUMS, Digest("s"), len(volume.sums)),
        ]
        assert medium.filesystem.used([*volume.files, *apart]) <= volume.used <= room_of(medium)


def farm(count: int, size: int) -> RepositoryTarget:
    """Make a repository of so many packages of nearly one size."""
    return repository("p/farm", {f"{number:05}.rpm": size + number for number in range(count)})


@pytest.mark.parametrize("fs", SYSTEMS)
def test_a_plan_made_twice_is_identical_whatever_the_order_of_its_repositories(fs: str | None) -> None:
    targets = [farm(30, 300_000), target("p/zoo"), target("q/zoo", {"x.rpm": b"x"})]
    media = media_of(SIZE, fs=fs)

    assert planned(targets, media) == planned(targets[::-1], media)


@pytest.mark.parametrize("fs", SYSTEMS)
def test_a_volume_may_be_full_to_the_last_byte_and_not_a_byte_more(fs: str | None) -> None:
    (medium,) = media_of(SIZE, fs=fs)
    one = draft(header(), (farm(5, 100_000),), media=Media((medium,)), describe=describe)
    used = finish(one).volumes[0].used
    full = replace(medium, reserve=int(SIZE) - used)

    whole = finish(replace(one, media=Media((full,))))
    with pytest.raises(UsageError, match=rf"{used:,} bytes do not fit into {used - 1:,}") as caught:
        finish(replace(one, media=Media((replace(full, reserve=full.reserve + 1),))))

    assert whole.volumes[0].used == room_of(full)
    assert caught.value.where == whole.volumes[0].entry.label


@pytest.mark.parametrize("fs", SYSTEMS)
def test_where_a_plan_would_be_a_byte_over_it_takes_one_more_volume(fs: str | None) -> None:
    (medium,) = media_of(SIZE, fs=fs)
    used = planned([farm(5, 100_000)], (medium,)).volumes[0].used
    counts = set()

    for reserve in range(int(SIZE) - used - 200_000, int(SIZE) - used + 2):
        if reserve % 20_011 and reserve < int(SIZE) - used - 1:
            continue
        media = (replace(medium, reserve=reserve),)
        plan = planned([farm(5, 100_000)], media)
        require_fitting(plan, media)
        counts.add(len(plan.volumes))

    assert counts == {1, 2}


def test_media_may_be_mixed_and_the_last_serves_for_all_further_volumes() -> None:
    media = (*media_of("6000000", fs="iso"), *media_of("3000000", fs="exfat"), *media_of("1500000"))

    plan = planned([farm(40, 300_000)], media)

    require_fitting(plan, media)
    assert [volume.entry.medium for volume in plan.volumes] == ["6000000", "3000000"] + ["1500000"] * (
        len(plan.volumes) - 2
    )
    assert len(plan.volumes) > 3


def test_what_is_reserved_is_left_free() -> None:
    plan = planned([farm(30, 300_000)], media_of(SIZE, reserve=1_000_000))

    assert all(volume.used <= 3_000_000 for volume in plan.volumes)
    assert all(volume.entry.capacity == 4_000_000 for volume in plan.volumes)


def test_every_volume_says_which_of_how_many_it_is() -> None:
    plan = planned([farm(30, 300_000)], media_of(SIZE))

    marks = {volume.entry.label[:13] for volume in plan.volumes}
    count = len(plan.volumes)
    assert len(marks) == 1
    assert [volume.entry.label[14:] for volume in plan.volumes] == [f"V{n:02}OF{count:02}" for n in range(1, count + 1)]


def test_more_than_99_volumes_have_labels_of_their_own() -> None:
    plan = planned([farm(120, 300_000)], media_of("700000"))

    labels = [volume.entry.label for volume in plan.volumes]
    assert len(labels) > 99
    assert labels[99].endswith(f"_V100OF{len(labels)}")
    assert all(layout.is_volume_label(label) and len(label) <= 32 for label in labels)


@pytest.mark.parametrize("fs", ["fat32", "iso"])
def test_33_000_files_with_long_and_odd_names_are_planned(fs: str) -> None:
    sizes = {f"{number % 60:02}/{'~^+' * 60}{number:06}.rpm": 1000 + number for number in range(33_000)}

    plan = planned([repository("p/many", sizes)], media_of("50000000", fs=fs))

    require_fitting(plan, media_of("50000000", fs=fs))
    assert sorted(path for own in packages_on(plan) for path in own) == sorted(f"p/many/{path}" for path in sizes)


@pytest.mark.parametrize(
    ("medium", "size", "parts"),
    [("usb:16G", 4 * GIB - 1, 0), ("usb:16G", 4 * GIB, 2), ("dvd", 9 * GIB, 3), ("bd25", 9 * GIB, 0)],
)
def test_a_huge_file_is_cut_where_it_has_to_be_and_its_parts_are_spread(medium: str, size: int, parts: int) -> None:
    media = media_of(medium)

    plan = planned([repository("p/r", {"huge.rpm": size, "small.rpm": 1})], media)

    require_fitting(plan, media)
    cut = [file.part for volume in plan.volumes for file in volume.files if file.part]
    assert [one.number for one in sorted(cut, key=lambda one: one.number)] == list(range(1, parts + 1))
    assert sum(part.size for one in plan.manifest.split for part in one.parts) == (size if parts else 0)
    assert len(plan.volumes) == (3 if medium == "dvd" else 1)


def test_names_of_240_bytes_and_with_odd_characters_lie_where_they_lay() -> None:
    names = ["a" * 236 + ".rpm", "b-1.0~rc1^git+2-1.noarch.rpm", "é" * 118 + ".rpm"]

    for fs in FILE_SYSTEMS:
        plan = planned([repository("p/r", dict.fromkeys(names, 5))], media_of("60000000", fs=fs))
        assert set(packages_on(plan)[0]) == {f"p/r/{name}" for name in names}


def test_names_that_collide_across_repositories_are_refused_by_name() -> None:
    targets = [target("p/zoo", {"a.rpm": b"a"}), target("p/Zoo", {"b.rpm": b"b"})]

    with pytest.raises(UsageError, match="paths on the volume collide") as caught:
        planned(targets, media_of(SIZE))

    assert any(one.where == "repos/p/zoo/a.rpm" for one in caught.value.problems)
    assert all("only in case" in one.message for one in caught.value.problems)


def test_a_directory_of_more_names_than_fat32_holds_is_refused_with_the_way_out() -> None:
    crowded = repository("p/many", {f"Packages/{'x' * 60}{number:06}.rpm": 1 for number in range(12_000)})

    with pytest.raises(UsageError, match="fat32 cannot hold what lies on volume 1") as caught:
        planned([crowded], media_of("usb:4G"))

    assert [one.where for one in caught.value.problems] == ["repos/p/many/Packages"]
    assert "--fs exfat" in (caught.value.hint or "")
    assert len(planned([crowded], media_of("usb:4G", fs="exfat")).volumes) == 1


def test_a_medium_too_small_for_what_lies_on_every_volume_is_refused() -> None:
    with pytest.raises(UsageError, match="too small for what every volume holds"):
        planned([target()], media_of("20000"))


def test_a_delta_that_brings_nothing_is_one_volume() -> None:
    same = target("p/zoo", bases=[{"a.rpm": b"a", "d/b.rpm": b"bb"}])

    plan = planned([same], media_of(SIZE))

    assert [volume.entry.number for volume in plan.volumes] == [1]
    assert packages_on(plan) == [[]]


sizes = st.one_of(st.integers(0, 3000), st.integers(0, 60_000), st.integers(0, 1_500_000))
names = st.text("ab~^+é", min_size=1, max_size=60)
folders = st.sampled_from(["", "P/", "P/q/", "repodata/"])


@st.composite
def repositories(draw: st.DrawFn) -> list[RepositoryTarget]:
    """Make one to four repositories, some files of which are the same."""
    listed = st.dictionaries(st.tuples(folders, names), sizes, min_size=1, max_size=40)
    return [
        repository(f"p/r{number}", {f"{folder}{name}.rpm": size for (folder, name), size in content.items()})
        for number, content in enumerate(draw(st.lists(listed, min_size=1, max_size=4)))
    ]


@settings(max_examples=60)
@given(
    targets=repositories(),
    asked=st.lists(st.tuples(st.integers(200_000, 5_000_000), st.sampled_from(SYSTEMS)), min_size=1, max_size=3),
    parity=st.sampled_from([0, 0, 1, 2]),
)
def test_whatever_is_planned_fits_or_is_refused_with_a_reason(
    targets: list[RepositoryTarget], asked: list[tuple[int, str | None]], parity: int
) -> None:
    media = tuple(medium for size, fs in asked for medium in media_of(str(size), fs=fs))

    try:
        plan = planned(targets, media)
        if parity:
            require_parity_fits(targets, media, parity)
    except UsageError as refusal:
        assert "parts of files need room" in refusal.message or "too small for what every" in refusal.message
    else:
        require_fitting(plan, media)
        whole = {file.sha256 for volume in plan.volumes for file in volume.files}
        split = {one.sha256: {part.sha256 for part in one.parts} for one in plan.manifest.split}
        for entry in (entry for one in targets for entry in one.tree.entries):
            assert split.get(entry.sha256, {entry.sha256}) <= whole


def require_parity_fits(targets: Sequence[RepositoryTarget], media: tuple[Medium, ...], parity: int) -> None:
    """Finish a draft with parity as long as its longest stream, and an index as long as it may get."""
    found = drafted(targets, media, parity=parity)
    payload = found.payload()
    stripes = -(-max(sum({file.sha256: file.size for file in own}.values()) for own in payload) // MIB)
    index = b"i" * 1000
    files = [
        PlannedFile(INDEX, digest_of(index), len(index), index),
        *(PlannedFile(path, digest_of(path.encode()), size) for path, size in parity_files(stripes, 4096)),
    ]
    count = len(payload)
    numbers = tuple(range(count + 1, count + parity + 1))
    recovery = Recovery("zfec", count, parity, 4096, stripes, numbers, IndexFile(digest_of(index), len(index)))

    plan = finish(found, recovery, [files] * parity)

    require_fitting(plan, media)
    assert [volume.entry.number for volume in plan.volumes][-parity:] == list(numbers)


def test_a_parity_volume_as_long_as_the_fullest_volume_fits_its_medium() -> None:
    media = media_of("9000000", fs="fat32")
    found = drafted([farm(60, 300_000)], media, parity=2)
    longest = max(sum(file.size for file in own) for own in found.payload())
    stripes = -(-longest // 16_384)
    index = b"i" * 20_000
    files = [
        PlannedFile(INDEX, digest_of(index), len(index), index),
        *(PlannedFile(path, digest_of(path.encode()), size) for path, size in parity_files(stripes, 16_384)),
    ]
    count = len(found.volumes)
    facts = IndexFile(digest_of(index), len(index))
    recovery = Recovery("zfec", count, 2, 16_384, stripes, (count + 1, count + 2), facts)

    plan = finish(found, recovery, [files, files])

    require_fitting(plan, media)
    assert (plan.manifest.recovery, len(plan.volumes)) == (recovery, count + 2)
    for volume in plan.volumes[-2:]:
        kept = {file.path.partition("/")[0] for file in volume.files}
        assert kept == {"README.txt", "parity", "schemas", "trees"}


def test_listings_and_keys_lie_on_every_volume_and_all_name_the_same_count() -> None:
    plan = planned([farm(30, 300_000), target("p/zoo", keys=(b"key",))], media_of(SIZE))

    sticky = {layout.tree_path(entry.digest) for entry in plan.manifest.trees} | {layout.blob_path(digest_of(b"key"))}
    assert len(plan.volumes) > 2
    assert all(sticky < set(own) for own in paths(plan))
    assert all({layout.README, layout.DISCINFO, layout.MEDIA_MARK} <= set(own) for own in paths(plan))


def test_a_cut_is_made_once_for_all_rounds() -> None:
    asked: list[str] = []

    def cut(blob: object, sizes: Sequence[int]) -> tuple[Digest, ...]:
        asked.append(str(blob))
        return tuple(digest_of(bytes([number])) for number, _ in enumerate(sizes))

    large = repository("p/large", {"a.rpm": 10 * MIB, "b.rpm": 5 * MIB})
    found = draft(header(), (large, farm(30, 200_000)), media=Media(media_of(SIZE)), cut=cut, parity=1)

    assert len(found.split) == len(asked) == 2


def test_a_blob_that_no_volume_holds_needs_somebody_to_cut_it() -> None:
    with pytest.raises(UsageError, match="is too large for the medium"):
        draft(header(), (repository("p/large", {"a.rpm": 10 * MIB}),), media=Media(media_of(SIZE)))
