"""Attacks on bundles of several volumes: rows 28 to 35, 39 and 41 of the threats."""

import errno
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from issmedia.base.digest import digest_of
from issmedia.bundle import layout
from issmedia.bundle.reader import DirectoryVolume
from tests.makers.attacked import command_line
from tests.makers.attacked_sets import DONE, FORMAT, NOT_INTACT, WAITING, Sets, assert_imported, nothing_begun, refused
from tests.makers.forge import Document
from tests.makers.forge_sets import edit_set, put_sums_of_set
from tests.makers.media import Medium, fails, import_from, refused_by
from tests.makers.programs import run
from tests.makers.shelves import Shelf, labels_in
from tests.makers.sites import Site
from tests.makers.streams import some

BAT = "repos/p/zoo/Packages/b/bat-1.0-1.noarch.rpm"
"""A package on volume 2."""


@pytest.fixture
def lab(sets: Sets, tmp_path: Path) -> Site:
    """A site that trusts the sender, and imported nothing."""
    return sets.older.lab(tmp_path / "lab")


@pytest.fixture
def spoiled(sets: Sets, tmp_path: Path) -> Shelf:
    """A copy of the older bundle, to be altered."""
    return sets.older.copied(tmp_path / "spoiled")


# rows 28 and 29: which volumes


@pytest.mark.parametrize("pair", list(itertools.product((1, 2, 3), repeat=2)), ids=str)
@pytest.mark.parametrize("turned", [False, True], ids=["older first", "newer first"])
def test_028_of_any_two_volumes_of_two_bundles_the_second_is_named_and_left_alone(
    lab: Site, sets: Sets, pair: tuple[int, int], turned: bool
) -> None:
    """Discs of two bundles lie in one bag; the odd one is named, nothing of it is taken, and the other one counts."""
    shelves = [(sets.older, sets.newer)[number] for number in ((1, 0) if turned else (0, 1))]
    (kept, other), before = shelves, lab.state()
    one, odd = kept.volume(pair[turned]), other.volume(pair[not turned])

    outcome = lab.call("import", one, odd)

    assert (outcome.code, lab.state()) == (WAITING, before)
    assert outcome.err.splitlines() == [f"warning: {odd}: is a volume of another bundle than {one}; it was left alone"]
    (begun,) = lab.do("import", "--status", "--json").document["pending"]
    assert [one["volume"]["label"] for one in begun["arrivals"]] == kept.labels
    assert [one["state"] for one in begun["arrivals"]].count("done") == 1
    assert lab.call("verify", one, odd).code == lab.call("verify", odd, one).code == NOT_INTACT
    lab.do("import", *kept.volumes)
    assert_imported(lab, kept)


@pytest.mark.parametrize("first", [False, True], ids=["last", "first"])
def test_028_the_odd_one_among_many_is_left_alone_and_the_first_says_which_bundle(
    lab: Site, sets: Sets, first: bool
) -> None:
    """One disc of another bundle is in the pile; of two bundles that of the first disc is meant."""
    odd, pile = sets.newer.volume(2), [sets.older.volume(1), sets.older.volume(3)]
    left = pile if first else [odd]

    document = lab.call("import", "--json", *([odd, *pile] if first else [*pile, odd])).document

    assert [one["where"] for one in document["left_alone"]] == [str(path) for path in left]
    assert all(one["another_bundle"] for one in document["left_alone"])
    assert [one["state"] for one in document["imported"]["arrivals"]].count("done") == (1 if first else 2)


def test_028_a_whole_bundle_beside_a_volume_of_another_is_imported_and_the_rest_was_left_out(
    lab: Site, sets: Sets
) -> None:
    """The bundle is whole; what else was asked for is not done, and the exit code says so."""
    outcome = lab.call("import", *sets.older.volumes, sets.newer.volume(1))

    assert outcome.code == WAITING
    assert_imported(lab, sets.older)
    lab.do("import", *sets.newer.volumes)
    assert_imported(lab, sets.newer)


def test_028_a_first_volume_whose_manifest_cannot_be_read_does_not_say_which_bundle_is_meant(
    lab: Site, sets: Sets, spoiled: Shelf
) -> None:
    """The first disc has no manifest; that of the second one counts, and by its sums the first belongs to it or not."""
    (spoiled.volume(2) / "manifest.json").unlink()
    shutil.rmtree(spoiled.volume(3))
    spoiled.directory.joinpath("empty").mkdir()

    outcome = lab.call("import", spoiled.directory / "empty", spoiled.volume(2), sets.older.volume(1))

    assert outcome.code == WAITING
    assert labels_in(outcome, sets.older.labels) == [sets.older.label(3)]
    assert f"{spoiled.directory / 'empty'}: not a volume of a bundle" in outcome.err


# what is no volume at all


def _absent(path: Path) -> None:
    """Name what is not there."""


def _junk(path: Path) -> None:
    path.write_bytes(b"junk" * 20_000)


def _sums_of_others(path: Path) -> None:
    path.mkdir()
    (path / "SHA256SUMS").write_bytes(b"0" * 64 + b"  README.txt\n")
    (path / "README.txt").write_bytes(b"a mirror")


NO_VOLUMES = [Path.mkdir, _absent, _junk, _sums_of_others]


@pytest.mark.parametrize("make", NO_VOLUMES, ids=["empty", "absent", "junk", "sums of others"])
@pytest.mark.parametrize("with_parity", [False, True], ids=["no parity", "parity"])
def test_028_what_is_no_volume_is_named_and_left_alone_and_verify_refuses_it(
    sets: Sets, parity: Shelf, tmp_path: Path, make: Callable[[Path], object], with_parity: bool
) -> None:
    """A drive is empty, or somebody's holiday pictures are in it: it passes for no damaged volume."""
    shelf, path = parity if with_parity else sets.older, tmp_path / "stranger"
    lab = shelf.lab(tmp_path / "lab")
    make(path)
    before = lab.state()

    refusals = [lab.call("verify", *order) for order in ([path, *shelf.volumes], [*shelf.volumes, path])]
    some = lab.call("import", shelf.volume(2), path)
    document = lab.do("import", path, *shelf.volumes, "--json").document

    assert [one.code for one in refusals] == [FORMAT, FORMAT]
    assert all("genuine and whole" not in one.out for one in refusals)
    assert (some.code, f"warning: {path}: " in some.err, "it was left alone" in some.err) == (WAITING, True, True)
    assert some.err.count("warning: ") == 1
    assert [(one["where"], one["another_bundle"]) for one in document["left_alone"]] == [(str(path), False)]
    assert before != lab.state()
    assert_imported(lab, shelf)


def test_028_where_nothing_is_a_volume_that_is_refused(lab: Site, tmp_path: Path) -> None:
    """All drives are empty."""
    (tmp_path / "empty").mkdir()

    refused(
        lab, FORMAT, tmp_path / "empty", tmp_path / "absent", says=(f"{tmp_path / 'empty'}: no manifest.json here",)
    )
    refused(lab, FORMAT, tmp_path / "absent", tmp_path / "empty", says=(f"{tmp_path / 'absent'}: cannot be opened",))

    assert nothing_begun(lab)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=str)
def test_028_two_bundles_that_come_volume_by_volume_are_kept_apart(
    lab: Site, sets: Sets, order: tuple[int, int]
) -> None:
    """Discs of two bundles come in turn; each is counted for its own bundle, and the older one cannot come after."""
    bundles = [(sets.older, sets.newer)[number - 1] for number in order]
    before, labels = lab.state(), sets.older.labels + sets.newer.labels

    for number, shelf in itertools.product((1, 2), bundles):
        outcome = lab.call("import", shelf.volume(number))
        assert (outcome.code, lab.state()) == (WAITING, before)
        assert labels_in(outcome, labels) == shelf.labels[number:]
    lab.do("import", *sets.newer.volumes[2:])

    assert_imported(lab, sets.newer)
    refused(lab, NOT_INTACT, sets.older.volume(3), says=("has sequence 1", "already imported is 2"))


def test_028_a_volume_with_the_manifest_of_another_bundle_is_refused(lab: Site, sets: Sets, spoiled: Shelf) -> None:
    """Everything on the disc is of one bundle, and its manifest and signatures are those of another."""
    for name in ("manifest.json", "manifest.json.sig"):
        shutil.copyfile(sets.newer.volume(2) / name, spoiled.volume(2) / name)

    refused(lab, NOT_INTACT, spoiled.volume(2), says=("SHA256SUMS", "belongs to another bundle"))
    refused(lab, NOT_INTACT, sets.newer.volume(1), spoiled.volume(2), says=("belongs to another bundle",))

    lab.do("import", *spoiled.volumes)
    assert_imported(lab, sets.older)


@pytest.mark.parametrize("first", [1, 2, 3])
def test_029_volumes_come_in_every_order_twice_and_not_at_all(
    lab: Site, sets: Sets, tmp_path: Path, first: int
) -> None:
    """Whoever loads the drive takes any disc, the same one again, or leaves one at home."""
    for rest in itertools.product((1, 2, 3), repeat=2):
        site = sets.older.lab(tmp_path / f"lab-{first}{rest[0]}{rest[1]}")
        before, seen = site.state(), set[int]()

        for number in (first, *rest):
            outcome = site.call("import", sets.older.volume(number))
            seen.add(number)
            missing = [sets.older.label(one) for one in (1, 2, 3) if one not in seen]
            assert outcome.code == (WAITING if missing else DONE), outcome.err
            assert labels_in(outcome, sets.older.labels) == missing
            assert (site.state() == before) == bool(missing)


def test_029_one_volume_in_two_drives_counts_once(lab: Site, sets: Sets, spoiled: Shelf) -> None:
    """A disc and its copy are given together, and a disc and itself."""
    copy = spoiled.volume(2)

    outcome = lab.do("import", sets.older.volume(1), *sets.older.volumes, copy)

    assert outcome.err.splitlines() == [
        f"volume 1 is given twice, and counts once: {sets.older.volume(1)}",
        f"volume 2 is given twice, and counts once: {sets.older.volume(2)} and {copy}",
    ]
    assert_imported(lab, sets.older)


@pytest.mark.parametrize("first", [True, False], ids=["first", "second"])
def test_029_of_a_bad_disc_and_its_good_copy_the_good_bytes_are_taken(
    lab: Site, sets: Sets, spoiled: Shelf, first: bool
) -> None:
    """One of two copies of a disc was altered, whichever is given first; it is named, and the other one serves."""
    (spoiled.volume(2) / BAT).write_bytes(b"evil")
    order = [spoiled.volume(2), sets.older.volume(2)] if first else [sets.older.volume(2), spoiled.volume(2)]

    outcome = lab.do("import", sets.older.volume(1), *order, sets.older.volume(3))

    warning = f"warning: {spoiled.volume(2)}: {BAT}: is bad there, and was had from elsewhere"
    assert (warning in outcome.err) == first
    assert_imported(lab, sets.older)


def test_029_what_is_bad_on_a_disc_and_on_its_copy_is_refused(lab: Site, sets: Sets, spoiled: Shelf) -> None:
    """Both copies of a disc were altered: both are named, and nothing is believed."""
    again = sets.older.copied(spoiled.directory.parent / "again")
    for shelf in (spoiled, again):
        (shelf.volume(2) / BAT).write_bytes(b"evil")

    says = (f"{spoiled.volume(2)}: {BAT}", f"{again.volume(2)}: {BAT}")
    refused(lab, NOT_INTACT, *spoiled.volumes, again.volume(2), says=says)


def test_029_a_verification_reads_both_copies_of_a_disc(lab: Site, sets: Sets, spoiled: Shelf) -> None:
    """A bad copy is given beside the good disc, so that it passes for checked."""
    (spoiled.volume(2) / BAT).write_bytes(b"evil")
    before = lab.state()

    for order in ((sets.older.volume(2), spoiled.volume(2)), (spoiled.volume(2), sets.older.volume(2))):
        outcome = lab.call("verify", *order)
        assert (outcome.code, lab.state()) == (NOT_INTACT, before)
        assert f"{spoiled.volume(2)}: {BAT}" in outcome.err
        assert "genuine" not in outcome.out
    lab.do("verify", sets.older.volume(2), sets.older.copied(spoiled.directory.parent / "again").volume(2))


@pytest.mark.parametrize("copy_first", [True, False])
def test_029_a_listing_that_is_bad_on_one_copy_is_had_from_the_other(
    lab: Site, sets: Sets, spoiled: Shelf, copy_first: bool
) -> None:
    """Every listing on one of two copies was altered: an import has them from the other, a verification names it."""
    for listing in (spoiled.volume(1) / "trees").iterdir():
        listing.write_bytes(b"evil")
    pair = [spoiled.volume(1), sets.older.volume(1)]
    pair = pair if copy_first else pair[::-1]

    verified = lab.call("verify", *pair)
    lab.do("import", *pair, sets.older.volume(2), sets.older.volume(3))

    assert (verified.code, f"{spoiled.volume(1)}: trees/" in verified.err) == (NOT_INTACT, True)
    assert_imported(lab, sets.older)


def test_029_a_stray_on_a_second_copy_is_a_stray(lab: Site, sets: Sets, spoiled: Shelf) -> None:
    """What nobody declared lies on the copy only."""
    (spoiled.volume(2) / "evil").write_bytes(b"x")
    pair = (sets.older.volume(2), spoiled.volume(2))

    for command in ("verify", "import"):
        outcome = lab.call(command, *pair, "--strict")
        assert (outcome.code, f"{spoiled.volume(2)}: evil" in outcome.err) == (NOT_INTACT, True)


def test_029_two_volumes_with_one_number_are_refused(lab: Site, sets: Sets, spoiled: Shelf) -> None:
    """Who holds the key numbers two volumes alike, so that one stands for the other."""
    edit_set(spoiled.volumes, lambda document: document["volumes"][2].update(number=2), sets.key)

    refused(lab, FORMAT, *spoiled.volumes, says=("volumes are not numbered 1, 2, 3",))
    refused(lab, FORMAT, spoiled.volume(3))


def test_029_two_volumes_with_one_index_leave_the_other_one_missing(lab: Site, sets: Sets, spoiled: Shelf) -> None:
    """Who holds the key says that volume 3 is the same as volume 2: then what lies on 3 never came."""

    def same(document: Document) -> None:
        document["volumes"][2] |= {name: document["volumes"][1][name] for name in ("sums", "files", "bytes")}

    edit_set(spoiled.volumes, same, sets.key)
    before = lab.state()

    outcome = lab.call("import", spoiled.volume(1), spoiled.volume(2))

    assert (outcome.code, lab.state()) == (WAITING, before)
    refused(lab, NOT_INTACT, spoiled.volume(3), says=("SHA256SUMS",))


# rows 30 to 35: files


def test_030_a_good_file_on_the_wrong_volume_is_not_taken_from_there(lab: Site, sets: Sets, spoiled: Shelf) -> None:
    """A package of volume 2 lies on volume 1 too, where nothing declares it, and another one in its place."""
    stray = spoiled.volume(1) / BAT
    stray.parent.mkdir()
    shutil.copyfile(spoiled.volume(2) / BAT, stray)
    (spoiled.volume(1) / "repos/p/zoo/Packages/b/bee-1.0-1.noarch.rpm").write_bytes(b"evil")
    refused_strictly = lab.call("import", "--strict", spoiled.volume(1))

    outcome = lab.call("import", spoiled.volume(1), spoiled.volume(3))

    assert (refused_strictly.code, outcome.code) == (NOT_INTACT, WAITING)
    assert "is not declared by SHA256SUMS; it was not opened" in outcome.err
    assert labels_in(outcome, spoiled.labels) == [spoiled.label(2)]
    assert not lab.depot.store.holds(digest_of(stray.read_bytes()))


@pytest.mark.parametrize(
    "length",
    [None, lambda size: 0, lambda size: size - 1, lambda size: size + 1, lambda size: size + (1 << 30)],
    ids=["missing", "empty", "-1", "+1", "+1 GiB"],
)
def test_031_a_file_of_another_length_on_one_volume_costs_only_itself(
    lab: Site, sets: Sets, spoiled: Shelf, length: Callable[[int], int] | None
) -> None:
    """A file of one of three discs is missing, cut, or longer than it was; the others are good."""
    bad = spoiled.volume(2) / BAT
    if length is None:
        bad.unlink()
    else:
        os.truncate(bad, length(bad.stat().st_size))

    outcome = refused(lab, NOT_INTACT, *spoiled.volumes, says=(f"{spoiled.volume(2)}: {BAT}", spoiled.label(2)))

    asked = outcome.err.splitlines()[-1]
    assert [label in asked for label in spoiled.labels] == [False, True, False]
    assert "1 blob added" in lab.do("import", sets.older.volume(2)).out
    assert_imported(lab, sets.older)


def test_032_a_volume_that_is_altered_between_verify_and_import_is_refused(
    lab: Site, sets: Sets, spoiled: Shelf
) -> None:
    """The set passes the check, and one disc is exchanged before the import."""
    lab.do("verify", *spoiled.volumes)
    (spoiled.volume(2) / BAT).write_bytes(b"evil")

    refused(lab, NOT_INTACT, *spoiled.volumes, says=(BAT,))


def test_032_what_was_imported_is_not_read_again(lab: Site, sets: Sets, spoiled: Shelf) -> None:
    """A disc is altered after it was imported, while the others are still to come."""
    assert lab.call("import", spoiled.volume(2)).code == WAITING
    (spoiled.volume(2) / BAT).write_bytes(b"evil")

    lab.do("import", *spoiled.volumes)

    assert_imported(lab, sets.older)


def test_033_no_byte_of_any_volume_is_read_twice_and_none_of_parity(parity: Shelf, tmp_path: Path) -> None:
    """Three devices would give other bytes the second time they are asked; they are never asked."""
    lab = parity.lab(tmp_path / "lab")
    media = [Medium(DirectoryVolume(path)) for path in parity.volumes]

    import_from(lab, *media)

    for path, medium in zip(parity.volumes, media, strict=True):
        files = {one.relative_to(path).as_posix(): one.stat().st_size for one in path.rglob("*") if one.is_file()}
        wanted = [name for name in files if not name.startswith(("manifest.json", "parity/"))]
        assert set(medium.opened) <= set(wanted)
        twice = {name for name, count in medium.opened.items() if count > 1}
        assert twice <= {layout.PLACES}  # a hint, each time by its digest
        assert all(size <= files[name] for name, size in medium.given.items() if name not in twice)
    lab.do("publish")
    assert_imported(lab, parity)


def test_033_a_device_that_lies_once_while_parity_is_at_hand_admits_nothing_wrong(
    parity: Shelf, tmp_path: Path
) -> None:
    """A drive gives wrong bytes the first time; what is admitted in their place has the signed digest."""
    lab = parity.lab(tmp_path / "lab")
    media = [Medium(DirectoryVolume(path)) for path in parity.volumes]
    media[1].answers[BAT] = lambda file, size: bytes(len(some(file, size)))

    import_from(lab, *media)

    lab.do("publish")
    assert_imported(lab, parity)


def test_034_a_file_that_changes_while_another_volume_is_copied_is_refused(lab: Site, spoiled: Shelf) -> None:
    """As soon as the first disc was read, a writer changes a file of the second, its size left."""
    first, second = (Medium(DirectoryVolume(spoiled.volume(number))) for number in (1, 2))

    def overwrite(_path: str) -> None:
        with (spoiled.volume(2) / BAT).open("r+b") as file:
            file.seek(1000)
            file.write(b"evil")

    first.after = overwrite

    refusal = refused_by(lab, first, second)

    assert [problem.where for problem in refusal.problems] == [f"medium 2: {BAT}"]


@pytest.mark.parametrize("code", [errno.EIO, errno.ENODEV, errno.ENXIO, errno.ENOENT])
def test_035_a_drive_that_fails_keeps_what_the_others_gave(lab: Site, sets: Sets, code: int) -> None:
    """Of three drives one is pulled out in the middle; only what it still owed is read after that."""
    media = [Medium(DirectoryVolume(path)) for path in sets.older.volumes]
    late = [path.relative_to(sets.older.volume(2)).as_posix() for path in sets.older.volume(2).rglob("*.rpm")]
    for path in late:
        media[1].answers[path] = fails(code)
    refusal = refused_by(lab, *media)
    assert {problem.where for problem in refusal.problems} == {f"medium 2: {path}" for path in late}
    again = [Medium(DirectoryVolume(path)) for path in sets.older.volumes]

    done = import_from(lab, *again)

    assert done.added == len(late)
    assert [name for medium in again for name in medium.opened if name.endswith(".rpm")] == sorted(late)


# rows 39 and 41: names and mounts


def test_039_a_volume_of_a_set_that_is_a_link_is_not_followed(lab: Site, sets: Sets, tmp_path: Path) -> None:
    """Among the volumes of a directory one is a link that leads elsewhere."""
    directory = tmp_path / "set"
    directory.mkdir()
    for path in sets.older.volumes:
        (directory / path.name).symlink_to(path)

    refused(lab, FORMAT, directory, says=("cannot be opened as a volume",))


@pytest.mark.root
@pytest.mark.system("unshare", "mount")
def test_039_a_mount_inside_a_volume_of_a_set_is_not_entered(lab: Site, spoiled: Shelf) -> None:
    """Over a directory of one disc lies another file system, which holds the very same files."""
    inside = spoiled.volume(2) / "repos"
    shutil.copytree(inside, spoiled.directory / "elsewhere")
    before = lab.state()
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    command = [*command_line(lab, "import", *spoiled.volumes)]

    said = run(
        "unshare", "-m", "sh", "-c", f"{script}; true", "sh", spoiled.directory / "elsewhere", inside, "sh", "-c",
        '"$@" 2>&1; echo "exit code $?"', "sh", *command,
    )  # fmt: skip

    assert f"exit code {NOT_INTACT}" in said
    assert f"{spoiled.volume(2)}: {BAT}" in said
    assert lab.state() == before


def test_041_names_that_collide_on_one_volume_of_a_set_are_refused(lab: Site, sets: Sets, spoiled: Shelf) -> None:
    """The sums of one disc name a file twice, in two cases, as its medium could not hold it."""
    sums = (spoiled.volume(3) / "SHA256SUMS").read_bytes()
    line = next(one for one in sums.splitlines(keepends=True) if b"README.txt" in one)
    lines = sorted([*sums.splitlines(keepends=True), line.replace(b"README", b"readme")], key=lambda one: one[66:])
    put_sums_of_set(spoiled.volumes, 3, b"".join(lines), sets.key)

    refused(lab, FORMAT, *spoiled.volumes, says=("collide",))
    refused(lab, FORMAT, spoiled.volume(3), says=("collide",))
