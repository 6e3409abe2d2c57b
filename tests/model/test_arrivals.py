"""Which volumes are done, missing or bad, and which are asked for."""

from collections.abc import Mapping

import msgspec
import pytest

from issmedia.base.digest import Digest, digest_of
from issmedia.model.arrivals import arrivals, needed
from issmedia.model.manifest import Manifest, VolumeEntry
from issmedia.model.recovery import IndexFile, Recovery
from tests.makers.documents import sample_manifest

A, B, P = (digest_of(name) for name in (b"a", b"b", b"parity"))
ONE, TWO, PARITY = {"a.rpm": A}, {"b.rpm": B}, {"parity/0001": P}


def manifest(*, parity: bool = False) -> Manifest:
    """Make a manifest of two data volumes, and one of parity."""
    count = 3 if parity else 2
    volumes = tuple(VolumeEntry(n, f"V{n}", "dvd", None, 1, 1, digest_of(b"%d" % n)) for n in range(1, count + 1))
    recovery = Recovery("zfec", 2, 1, 4096, 1, (3,), IndexFile(digest_of(b"i"), 1)) if parity else None
    return msgspec.structs.replace(sample_manifest(), volumes=volumes, recovery=recovery)


def found(
    lacking: set[Digest], indexes: Mapping[int, Mapping[str, Digest]], *, parity: bool = False
) -> list[tuple[str, bool]]:
    """Give state and need of each volume."""
    return [(one.state, one.needed) for one in arrivals(manifest(parity=parity), lacking, indexes, {})]


@pytest.mark.parametrize(
    ("lacking", "indexes", "expected"),
    [
        ({A, B}, {}, [("missing", True), ("missing", True)]),
        ({B}, {1: ONE}, [("done", False), ("missing", True)]),
        ({A, B}, {1: ONE}, [("bad", True), ("missing", True)]),
        ({A}, {1: ONE}, [("bad", True), ("missing", False)]),
        ({A}, {1: ONE, 2: TWO}, [("bad", True), ("done", False)]),
        (set(), {2: TWO}, [("missing", False), ("done", False)]),
        (set(), {1: ONE, 2: TWO}, [("done", False), ("done", False)]),
    ],
)
def test_a_volume_is_asked_for_where_what_is_lacking_may_lie(
    lacking: set[Digest], indexes: Mapping[int, Mapping[str, Digest]], expected: list[tuple[str, bool]]
) -> None:
    assert found(lacking, indexes) == expected


def test_parity_is_never_asked_for_and_may_be_bad_without_harm() -> None:
    assert found({B}, {1: ONE}, parity=True) == [("done", False), ("missing", True), ("missing", False)]
    assert found({B}, {1: ONE, 3: PARITY}, parity=True)[2] == ("done", False)


def test_the_files_that_are_lacking_are_named() -> None:
    (one, two) = arrivals(manifest(), {A}, {1: {"a.rpm": A, "c.rpm": A, "d.rpm": B}, 2: TWO}, {})

    assert (one.lacking, two.lacking) == (("a.rpm", "c.rpm"), ())


def test_what_lies_on_two_volumes_that_were_both_seen_may_come_of_either() -> None:
    assert found({A}, {1: ONE, 2: ONE}) == [("bad", True), ("bad", True)]


def test_only_what_is_needed_is_asked_for() -> None:
    every = arrivals(manifest(parity=True), {A, B}, {1: ONE}, {})

    assert [one.volume.number for one in needed(every)] == [1, 2]


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ({B[:8]: 3}, [False, False, True]),
        ({B[:8]: 1}, [False, True, True]),
        ({}, [False, True, True]),
        ({B[:8]: 9}, [False, True, True]),
    ],
    ids=["known", "a volume that was seen", "unknown", "no volume"],
)
def test_only_volumes_that_should_hold_what_is_lacking_are_asked_for(
    places: Mapping[str, int], expected: list[bool]
) -> None:
    three = tuple(VolumeEntry(n, f"V{n}", "dvd", None, 1, 1, digest_of(b"%d" % n)) for n in (1, 2, 3))
    bundle = msgspec.structs.replace(sample_manifest(), volumes=three)

    asked = arrivals(bundle, {B}, {1: ONE}, places)

    assert [one.needed for one in asked] == expected
