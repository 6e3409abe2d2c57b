"""Which blob goes on which volume: pieces, parts of what is too large, what stays together, what comes first."""

from collections.abc import Sequence

import pytest

from issmedia.base.digest import digest_of
from issmedia.base.errors import UsageError
from issmedia.bundle.carried import Carried, carried
from issmedia.bundle.loading import Costs, Media, Overhead, Piece, load, pieces_of, split_large
from issmedia.bundle.volume import Part
from issmedia.model.medium import Medium
from issmedia.model.packing import lower_bound
from issmedia.model.target import RepositoryTarget
from tests.makers.documents import target
from tests.makers.volumes import MIB, cut_blindly, media_of, packages_on, planned, repository

GIB = 1 << 30


def parts_of(*targets: RepositoryTarget) -> list[Carried]:
    """Say what of repositories travels."""
    return [carried(one) for one in targets]


def cut(size: int, media: tuple[Medium, ...]) -> list[int]:
    """Give the sizes of the pieces that a file becomes on media."""
    pieces = pieces_of(parts_of(repository("p/r", {"large.rpm": size})))
    overhead = Overhead([0] * len(media), spare=64 << 10)
    found, entries = split_large(pieces, Media(media), overhead, cut_blindly)
    assert [part.size for entry in entries for part in entry.parts] == [one.size for one in found if one.part]
    return [one.size for one in found]


def loaded(targets: Sequence[RepositoryTarget], media: Media) -> list[list[Piece]]:
    """Load volumes that need nothing beside payload."""
    parts = parts_of(*targets)
    return load(pieces_of(parts), parts, Costs(parts, media), Overhead([0] * len(media.media), spare=0))


def test_a_blob_of_several_places_is_one_piece() -> None:
    pieces = pieces_of(parts_of(target("p/a", {"x.rpm": b"same", "y.rpm": b"own"}), target("p/b", {"z.rpm": b"same"})))

    assert [(one.path, one.size, one.places) for one in pieces] == [
        ("repos/p/a/x.rpm", 4, (("p/a", "x.rpm"), ("p/b", "z.rpm"))),
        ("repos/p/a/y.rpm", 3, (("p/a", "y.rpm"),)),
    ]


def test_what_a_base_has_is_no_piece() -> None:
    delta = target("p/a", {"x.rpm": b"old", "y.rpm": b"new"}, bases=[{"x.rpm": b"old"}])

    assert [one.path for one in pieces_of(parts_of(delta))] == ["repos/p/a/y.rpm"]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (4 * GIB - 1, [4 * GIB - 1]),
        (4 * GIB, [4 * GIB - MIB, MIB]),
        (9 * GIB, [4 * GIB - MIB, 4 * GIB - MIB, GIB + 2 * MIB]),
    ],
)
def test_on_fat32_a_file_of_4_gib_is_cut_and_one_byte_less_is_not(size: int, expected: list[int]) -> None:
    assert cut(size, media_of("usb:64G")) == expected


def test_a_file_larger_than_the_medium_is_cut_into_whole_mib() -> None:
    sizes = cut(9 * GIB, media_of("dvd"))

    assert sum(sizes) == 9 * GIB
    assert [size % MIB for size in sizes[:-1]] == [0, 0]
    assert max(sizes) <= 4_700_372_992


def test_of_mixed_media_the_smallest_says_how_large_parts_are() -> None:
    assert max(cut(9 * GIB, media_of("bd25", "dvd", "bd25"))) <= 4_700_372_992


def test_parts_lie_under_the_digest_of_their_blob_and_know_where_they_begin() -> None:
    pieces = pieces_of(parts_of(repository("p/r", {"a.rpm": 9 * GIB})))
    blob = pieces[0].sha256

    found, (entry,) = split_large(pieces, Media(media_of("usb:64G")), Overhead([0], spare=0), cut_blindly)

    first = 4 * GIB - MIB
    assert [one.part for one in found] == [Part(blob, number, (number - 1) * first) for number in (1, 2, 3)]
    assert [one.path for one in found] == [f"blobs/{blob[:2]}/{blob}.00{number}" for number in (1, 2, 3)]
    assert (entry.sha256, entry.size) == (blob, 9 * GIB)


def test_all_files_too_large_are_named_where_nothing_may_be_cut() -> None:
    pieces = pieces_of(parts_of(repository("p/r", {"a.rpm": 4 * GIB, "b.rpm": 5 * GIB, "c.rpm": 4 * GIB - 1})))

    with pytest.raises(UsageError, match=r"which is 4\.3 GB") as caught:
        split_large(pieces, Media(media_of("usb:64G"), split=False), Overhead([0], spare=0), cut_blindly)

    assert [(one.where, one.message) for one in caught.value.problems] == [
        ("repos/p/r/a.rpm", f"has {4 * GIB:,} bytes"),
        ("repos/p/r/b.rpm", f"has {5 * GIB:,} bytes"),
    ]
    assert "--no-split" in (caught.value.hint or "")


def test_without_media_nothing_is_cut_and_all_lies_on_one_volume() -> None:
    targets = [repository("p/r", {"a.rpm": 9 * GIB, "b.rpm": 1})]
    pieces = pieces_of(parts_of(*targets))

    found, entries = split_large(pieces, Media(), Overhead([], spare=0), cut_blindly)

    assert (found, entries) == (pieces, ())
    assert loaded(targets, Media()) == [pieces]


def test_a_small_repository_stays_together_where_others_are_spread() -> None:
    large = repository("p/a-large", {f"{number:03}.rpm": 90_000 for number in range(100)} | {"x.rpm": 1})
    small = repository("p/small", {f"{number}.rpm": 10_000 + number for number in range(9)})
    media = Media(media_of("2000000"))

    found = loaded([large, small], media)

    assert len(found) > 4
    assert sum(1 for own in found if any(piece.places[0][0] == "p/small" for piece in own)) == 1


def test_together_costs_no_volume() -> None:
    whole = [repository(f"p/r{number}", {"a.rpm": 120_000 + number}) for number in range(32)]
    media = Media(media_of("2000000"))
    costs = Costs(parts_of(*whole), media)
    least = lower_bound(map(costs.of, pieces_of(parts_of(*whole))), [2_000_000])

    assert len(loaded(whole, media)) == least


def test_what_is_urgent_lies_on_volume_1_though_it_is_small() -> None:
    sizes = {f"{number:03}.rpm": 90_000 - number for number in range(60)}
    late = [f"{number:03}.rpm" for number in (57, 58, 59)]
    urgent = {digest_of(f"{name} {sizes[name]}".encode()) for name in late}

    plain = planned([repository("p/r", sizes)], media_of("1500000"))
    first = planned([repository("p/r", sizes)], media_of("1500000"), urgent=urgent)

    assert not {f"p/r/{name}" for name in late} & set(packages_on(plain)[0])
    assert {f"p/r/{name}" for name in late} <= set(packages_on(first)[0])


def test_more_that_is_urgent_than_fits_goes_on_the_next_volumes() -> None:
    sizes = {f"{number:03}.rpm": 90_000 - number for number in range(60)}
    urgent = {digest_of(f"{name} {size}".encode()): name for name, size in sizes.items() if name >= "030"}

    plan = planned([repository("p/r", sizes)], media_of("1500000"), urgent=urgent)

    marked = [[path[4:] in urgent.values() for path in own] for own in packages_on(plan)]
    assert all(marked[0])
    assert sum(map(sum, marked[:3])) == len(urgent)


def test_what_a_volume_needed_beside_its_payload_is_kept_for_it_alone() -> None:
    overhead = Overhead([100, 50], spare=0)

    overhead.grow(1, 5000)

    assert overhead.of(1) > 5000
    assert (overhead.of(2), overhead.of(3)) == (50, 50)


def test_each_further_time_more_is_kept() -> None:
    overhead, steps = Overhead([0], spare=0), []

    for _ in range(4):
        before = overhead.of(1)
        overhead.grow(1, before + 10_000)
        steps.append(overhead.of(1) - before)

    assert steps == sorted(set(steps))


def test_a_file_that_fills_a_volume_leaves_room_for_its_repodata() -> None:
    parts = parts_of(repository("p/r", {"a.rpm": 1, "repodata/primary.xml": 5000}, packages=1))

    assert Costs(parts, Media(media_of("dvd"))).spare() == (64 << 10) + 5000


def test_what_is_no_package_has_no_share_of_the_repodata() -> None:
    parts = parts_of(repository("p/r", {"a.rpm": 1, "repodata/p.xml": 50_000}, packages=1))
    package, metadata = pieces_of(parts)
    costs = Costs(parts, Media(media_of("dvd")))

    assert costs.of(package) > 50_000
    assert costs.of(metadata) < 55_000
    assert costs.of_all([package, metadata]) == costs.of(package) + costs.of(metadata)
