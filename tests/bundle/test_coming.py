"""A bundle on its way in: parts asked for and joined, what was seen, what serves only until the bundle is whole."""

from pathlib import Path

import msgspec
import pytest

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import DepotError
from issmedia.bundle import layout
from issmedia.bundle.coming import Coming, blobs_arrived, helpers_of, in_parts, join_parts, seen
from issmedia.bundle.planning import plan_bundle
from issmedia.bundle.volume import PlannedFile, PlannedVolume
from issmedia.depot.pending import Begun, Pending
from issmedia.depot.store import Store
from issmedia.model.manifest import Manifest, SplitEntry, Stored
from issmedia.model.recovery import IndexFile, Recovery
from issmedia.model.target import Header
from tests.makers.bundles import Bundle, verified
from tests.makers.documents import header, sample_manifest, target
from tests.makers.volumes import media_of, random_content, set_of

PARTS = (b"first ", b"second ", b"third")
WHOLE = b"".join(PARTS)


def stored(data: bytes) -> Stored:
    """Name bytes."""
    return Stored(digest_of(data), len(data))


def split(*parts: bytes, whole: bytes = WHOLE) -> Manifest:
    """Make a manifest of one blob in parts."""
    entry = SplitEntry(digest_of(whole), len(whole), tuple(map(stored, parts)))
    return msgspec.structs.replace(sample_manifest(), split=(entry,))


def store_with(root: Path, *blobs: bytes) -> Store:
    """Make a store of these blobs."""
    store = Store(root / "store")
    with store.writing() as writing:
        for data in blobs:
            writing.add_bytes(data)
    return store


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle of three data volumes and one of parity."""
    return set_of(tmp_path, media_of("500000"), parity=1, zoo=random_content(12, 60_000))


def test_instead_of_a_blob_its_parts_are_asked_for() -> None:
    lacking = {digest_of(WHOLE): len(WHOLE), digest_of(b"other"): 5}

    wanted = in_parts(split(*PARTS), lacking)

    assert wanted == {digest_of(b"other"): 5, **{digest_of(part): len(part) for part in PARTS}}


def test_of_a_blob_that_is_here_no_part_is_asked_for() -> None:
    assert in_parts(split(*PARTS), {digest_of(b"other"): 5}) == {digest_of(b"other"): 5}


@pytest.mark.parametrize("parts", [PARTS, (b"same", b"same", b"same"), (b"", b"x")])
def test_parts_make_up_their_blob(tmp_path: Path, parts: tuple[bytes, ...]) -> None:
    whole = b"".join(parts)
    store = store_with(tmp_path, *parts)

    with store.writing() as writing:
        join_parts(split(*parts, whole=whole), store, writing)

    with store.open(digest_of(whole)) as file:
        assert file.read() == whole


def test_a_blob_that_is_here_is_not_joined_again(tmp_path: Path) -> None:
    store = store_with(tmp_path, WHOLE)

    with store.writing() as writing:
        join_parts(split(*PARTS), store, writing)

    assert [digest for digest, _ in store.walk()] == [digest_of(WHOLE)]


def test_parts_that_make_up_another_blob_are_refused_and_it_does_not_enter(tmp_path: Path) -> None:
    store = store_with(tmp_path, *PARTS)
    swapped = PARTS[::-1]

    with pytest.raises(DepotError, match="its parts make up sha256 ") as caught, store.writing() as writing:
        join_parts(split(*swapped), store, writing)

    assert caught.value.where == digest_of(WHOLE)
    assert not store.holds(digest_of(WHOLE))
    assert not store.holds(digest_of(b"".join(swapped)))


def test_only_what_lies_below_parity_on_parity_volumes_serves_for_mending() -> None:
    recovery = Recovery("zfec", 1, 1, 4096, 1, (2,), IndexFile(digest_of(b"i"), 1))
    manifest = msgspec.structs.replace(sample_manifest(), recovery=recovery)
    index = {"README.txt": digest_of(b"r"), "parity/0001": digest_of(b"p")}

    assert helpers_of(manifest, {1: index, 2: index}) == {digest_of(b"p")}
    assert helpers_of(manifest, {1: index}) == set()
    assert helpers_of(sample_manifest(), {2: index}) == set()


def test_the_sums_that_the_manifest_names_were_seen_and_no_others() -> None:
    sums = layout.encode_sums([("a.rpm", digest_of(b"a"))])
    first = sample_manifest().volumes[0]
    entry = msgspec.structs.replace(first, sums=digest_of(sums))
    manifest = msgspec.structs.replace(sample_manifest(), volumes=(entry,))

    begun = Begun(digest_of(b"id"), b"", b"", {1: sums, 2: sums})
    rotten = Begun(digest_of(b"id"), b"", b"", {1: sums[:-1]})

    assert seen(manifest, begun) == {1: {"a.rpm": digest_of(b"a")}}
    assert seen(manifest, rotten) == {}


def test_what_unfinished_imports_brought_are_listings_and_what_their_sums_name(bundle: Bundle, tmp_path: Path) -> None:
    one, two, *_ = bundle.plan.volumes
    begun = Begun(bundle.plan.id, bundle.plan.manifest_bytes, b"", {1: one.sums})
    empty = Store(tmp_path / "lab/store")

    found = blobs_arrived([begun], empty)

    assert {file.sha256 for file in one.files} <= found
    assert {entry.digest for entry in bundle.plan.manifest.trees} <= found
    assert not {file.sha256 for file in packages(two)} & found
    assert blobs_arrived([], empty) == set()


def test_what_listings_here_name_may_be_here_though_no_volume_that_names_it_was_seen(tmp_path: Path) -> None:
    one = target("p/zoo", {"a.rpm": b"a", "b.rpm": b"b"})
    plan = plan_bundle(header(), (one,))
    begun = Begun(plan.id, plan.manifest_bytes, b"", {})

    found = blobs_arrived([begun], store_with(tmp_path, one.tree.encode()))

    assert {digest_of(b"a"), digest_of(b"b")} <= found


def test_parts_may_be_here_though_no_volume_that_names_them_was_seen(tmp_path: Path) -> None:
    manifest = msgspec.json.encode(split(*PARTS))

    found = blobs_arrived([Begun(digest_of(manifest), manifest, b"", {})], Store(tmp_path / "store"))

    assert set(map(digest_of, PARTS)) <= found


def packages(volume: PlannedVolume) -> list[PlannedFile]:
    """List the packages of a volume."""
    return [file for file in volume.files if file.path.endswith(".rpm")]


def test_a_set_that_is_all_at_hand_is_not_remembered_unless_it_must_come_again(bundle: Bundle, tmp_path: Path) -> None:
    volumes = sorted(bundle.write(tmp_path / "set").iterdir())
    pending, store = Pending(tmp_path / "lab"), Store(tmp_path / "lab/store")

    with verified(tmp_path, *volumes) as found:
        coming = Coming(pending, store, found)
        coming.begin()
        before = pending.all()
        coming.begin(anyway=True)

    assert before == []
    assert [sorted(one.sums) for one in pending.all()] == [[1, 2, 3, 4]]


def test_all_was_seen_when_every_data_volume_was_now_or_earlier(bundle: Bundle, tmp_path: Path) -> None:
    volumes = sorted(bundle.write(tmp_path / "set").iterdir())
    pending, store = Pending(tmp_path / "lab"), Store(tmp_path / "lab/store")
    said = []

    for some in (volumes[3:], volumes[:1], volumes[1:3]):
        with verified(tmp_path, *some) as found:
            coming = Coming(pending, store, found)
            coming.begin()
            said.append((coming.all_seen(), len(coming.placed()) > 0))

    assert said == [(False, True), (False, True), (True, True)]


def test_at_the_end_older_bundles_of_the_chain_are_forgotten_too_and_newer_ones_stay(tmp_path: Path) -> None:
    bundle = set_of(tmp_path, media_of("900000"), facts=header(sequence=5), zoo={"a.rpm": b"a"})
    volume = bundle.write(tmp_path / "set")
    pending, store = Pending(tmp_path / "lab"), store_with(tmp_path / "lab", b"part")
    begun = [begin(pending, header(sequence=number)) for number in (4, 5, 6)]

    with verified(tmp_path, volume) as found:
        Coming(pending, store, found).ended({digest_of(b"part")})

    assert [one.id for one in pending.all()] == [begun[2]]
    assert not store.holds(digest_of(b"part"))


def begin(pending: Pending, facts: Header) -> Digest:
    """Let a bundle of the chain be begun."""
    plan = plan_bundle(facts, (target(),))
    pending.keep(Begun(plan.id, plan.manifest_bytes, b"", {}))
    return plan.id
