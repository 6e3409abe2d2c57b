"""The payload, passed once: every bad file is reported, and only what was hashed is kept."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from issmedia.base.digest import Digest, Read, digest_of, take_all
from issmedia.base.errors import NotIntactError, Problem
from issmedia.base.events import Advanced, Event, Started
from issmedia.bundle import payload
from issmedia.bundle.taking import Keep, hash_only
from issmedia.depot.store import Store
from tests.makers.bundles import Bundle, bundle_of, verified

CONTENT = {"a.rpm": b"a" * 5000, "d/b.rpm": b"same"}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle of two repositories that share a blob."""
    return bundle_of(tmp_path, keys=(b"a key",), zoo=CONTENT, farm={"c.rpm": b"same"})


@pytest.fixture
def stick(bundle: Bundle, tmp_path: Path) -> Path:
    """Its volume."""
    return bundle.write(tmp_path / "stick")


class Kept:
    """A `Keep` that remembers what was handed to it."""

    def __init__(self) -> None:
        self.blobs: list[bytes] = []

    def __call__(self, expected: Digest, size: int, read: Read) -> tuple[Digest, int]:
        """Copy to memory."""
        data, digest = take_all(read, limit=size)
        self.blobs.append(data)
        return digest, len(data)


NO_BASE = Store(Path("/nowhere"))


def pass_over(root: Path, stick: Path, keep: Keep = hash_only, events: list[Event] | None = None) -> list[Problem]:
    """Pass the payload of a volume."""
    seen: list[Event] = [] if events is None else events
    with verified(root, stick) as bundle:
        blobs = payload.blobs_on(bundle, payload.read_trees(bundle, NO_BASE))
        found = payload.pass_payload(blobs, keep, workers=2, report=seen.append, phase="testing")
    return found


def where(problems: list[Problem], stick: Path) -> dict[str, str]:
    """Map path on the volume → what is wrong."""
    return {one.where.removeprefix(f"{stick}: "): one.message for one in problems}


def test_a_good_volume_has_no_problems_and_every_byte_is_counted(tmp_path: Path, stick: Path, bundle: Bundle) -> None:
    events: list[Event] = []

    problems = pass_over(tmp_path, stick, events=events)

    planned = [file for file in bundle.plan.volumes[0].files if not file.path.startswith("trees/")]
    assert problems == []
    assert [event.files for event in events if isinstance(event, Started)] == [len(planned)]
    assert sum(event.files for event in events if isinstance(event, Advanced)) == len(planned)


def test_trees_are_read_from_their_listings(tmp_path: Path, stick: Path) -> None:
    with verified(tmp_path, stick) as found:
        trees = payload.read_trees(found, NO_BASE).trees

    paths = sorted(entry.path for tree in trees.values() for entry in tree.entries)
    assert paths == ["a.rpm", "c.rpm", "d/b.rpm"]


def test_each_blob_is_kept_once(tmp_path: Path, stick: Path) -> None:
    keep = Kept()

    pass_over(tmp_path, stick, keep)

    assert keep.blobs.count(b"same") == 1
    assert {b"a" * 5000, b"same", b"a key"} <= set(keep.blobs)


def test_a_second_copy_is_hashed_but_not_kept(tmp_path: Path, stick: Path) -> None:
    copy = stick / "repos/p/farm/c.rpm"
    copy.unlink()
    copy.write_bytes(b"SAME")
    keep = Kept()

    problems = pass_over(tmp_path, stick, keep)

    # The first copy in the order of paths is the damaged one; the good one is kept instead.
    assert list(where(problems, stick)) == ["repos/p/farm/c.rpm"]
    assert keep.blobs.count(b"same") == 1


def test_a_damaged_copy_behind_a_good_one_is_found(tmp_path: Path, stick: Path) -> None:
    copy = stick / "repos/p/zoo/d/b.rpm"
    copy.unlink()
    copy.write_bytes(b"SAME")
    keep = Kept()

    problems = pass_over(tmp_path, stick, keep)

    assert list(where(problems, stick)) == ["repos/p/zoo/d/b.rpm"]
    assert keep.blobs.count(b"same") == 1
    assert b"SAME" not in keep.blobs


def test_a_hard_link_of_what_was_read_is_not_read_again(tmp_path: Path, stick: Path) -> None:
    linked, keep = Path(tmp_path / "copy"), Kept()
    shutil.copytree(stick, linked)

    pass_over(tmp_path, stick, keep)

    assert (stick / "repos/p/zoo/d/b.rpm").samefile(stick / "repos/p/farm/c.rpm")
    assert not (linked / "repos/p/zoo/d/b.rpm").samefile(linked / "repos/p/farm/c.rpm")
    assert pass_over(tmp_path, linked) == []


def damage_all(stick: Path) -> None:
    """Damage several files, each in its own way."""
    (stick / "repos/p/zoo/a.rpm").write_bytes(b"A" * 5000)
    (stick / "README.txt").unlink()
    (stick / "issmedia.repo").write_bytes(b"")
    (stick / "schemas/manifest.schema.json").unlink()
    (stick / "schemas/manifest.schema.json").symlink_to("/etc/passwd")
    (stick / "repos/p/farm/c.rpm").unlink()
    (stick / "repos/p/farm/c.rpm").mkdir()


def test_every_bad_file_is_reported_with_its_fault(tmp_path: Path, stick: Path) -> None:
    damage_all(stick)

    found = where(pass_over(tmp_path, stick), stick)

    digests = {name: digest_of(data) for name, data in (("good", b"a" * 5000), ("bad", b"A" * 5000), ("empty", b""))}
    assert list(found) == sorted(found)
    assert found.pop("issmedia.repo").endswith(f"read {digests['empty']}")
    assert found == {
        "README.txt": "is missing",
        "repos/p/farm/c.rpm": "is not a regular file",
        "repos/p/zoo/a.rpm": f"expected sha256 {digests['good']}, read {digests['bad']}",
        "schemas/manifest.schema.json": "is a symbolic link",
    }


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda path: path.write_bytes(b""), "expected 5000 bytes, found 0"),
        (lambda path: os.truncate(path, 4999), "expected 5000 bytes, found 4999"),
        (lambda path: os.truncate(path, 5001), "expected 5000 bytes, found 5001"),
        (lambda path: os.truncate(path, 5 << 30), f"expected 5000 bytes, found {5 << 30}"),
    ],
)
def test_a_wrong_size_is_refused_unread(
    tmp_path: Path, stick: Path, change: Callable[[Path], object], fault: str
) -> None:
    keep = Kept()
    change(stick / "repos/p/zoo/a.rpm")

    found = where(pass_over(tmp_path, stick, keep), stick)

    assert found == {"repos/p/zoo/a.rpm": fault}
    assert not [blob for blob in keep.blobs if blob.startswith(b"a" * 100)]


def test_what_is_on_no_volume_and_not_held_is_named(tmp_path: Path, stick: Path) -> None:
    with verified(tmp_path, stick) as bundle:
        found = payload.read_trees(bundle, NO_BASE)
        here = {blob.sha256 for blob in payload.blobs_on(bundle, found)} - {digest_of(b"same")}

        missing = payload.absent(bundle.manifest, found.trees, here, lambda digest, size: False)
        held = payload.absent(bundle.manifest, found.trees, here, lambda digest, size: size == 4)

    assert sorted(one.where for one in missing) == ["c.rpm", "d/b.rpm"]
    assert held == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data + data,
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: b"",
    ],
    ids=["cut", "longer", "twice", "changed", "empty"],
)
def test_a_damaged_listing_is_refused_by_name(tmp_path: Path, stick: Path, damage: Callable[[bytes], bytes]) -> None:
    listing = sorted((stick / "trees").iterdir())[0]
    listing.write_bytes(damage(listing.read_bytes()))

    with verified(tmp_path, stick) as bundle, pytest.raises(NotIntactError) as caught:
        payload.read_trees(bundle, NO_BASE)

    assert caught.value.where == f"{stick}: trees/{listing.name}"


@pytest.mark.parametrize(("count", "message"), [(1, "1 file not intact"), (2, "2 files not intact")])
def test_problems_become_one_error(count: int, message: str) -> None:
    problems = [Problem(f"file {number}", "is missing") for number in range(count)]

    with pytest.raises(NotIntactError, match=message) as caught:
        payload.require_none(problems, hint="copy it again")

    assert (caught.value.where, caught.value.problems) == ("file 0", tuple(problems))


def test_no_problems_are_no_error() -> None:
    payload.require_none([], hint="")
