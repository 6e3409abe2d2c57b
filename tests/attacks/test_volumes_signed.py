"""Attacks on bundles of several volumes by who holds the key, or an account on the importing machine."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from issmedia.base.digest import digest_of
from tests.makers.attacked_sets import DONE, FORMAT, NOT_INTACT, WAITING, Sets, assert_imported, nothing_begun, refused
from tests.makers.forge import Document, manifest_of, release_key
from tests.makers.forge_sets import edit_set, index_of, put_index, put_sums_of_set, reseal_set
from tests.makers.repos import build_repo
from tests.makers.shelves import Shelf, labels_in, shelve_whale
from tests.makers.sites import Site, connected_site, disconnected_site


@pytest.fixture
def lab(sets: Sets, tmp_path: Path) -> Site:
    """A site that trusts the sender, and imported nothing."""
    return sets.older.lab(tmp_path / "lab")


@pytest.fixture
def spoiled(sets: Sets, tmp_path: Path) -> Shelf:
    """A copy of the older bundle, to be altered."""
    return sets.older.copied(tmp_path / "spoiled")


# what is signed, and lies


def test_031_sums_that_list_the_files_of_another_volume_are_refused(lab: Site, sets: Sets, spoiled: Shelf) -> None:
    """Who holds the key lets volume 2 promise what lies on volume 1, and not what lies on it."""
    sums = (spoiled.volume(1) / "SHA256SUMS").read_bytes()
    put_sums_of_set(spoiled.volumes, 2, sums.replace(b"README.txt", b"README.txu"), sets.key)

    refused(lab, NOT_INTACT, spoiled.volume(2), says=("is missing",))
    refused(lab, NOT_INTACT, *spoiled.volumes)


def test_029_the_sums_of_another_volume_make_it_that_volume(lab: Site, sets: Sets, spoiled: Shelf) -> None:
    """Without the key, the sums of volume 1 are written over those of volume 2: it must have what it promises."""
    shutil.copyfile(spoiled.volume(1) / "SHA256SUMS", spoiled.volume(2) / "SHA256SUMS")

    refused(lab, NOT_INTACT, spoiled.volume(1), spoiled.volume(2), says=("claims to be volume 1, as", "README.txt"))
    refused(lab, NOT_INTACT, spoiled.volume(2), says=("is missing",))


@pytest.fixture
def whale(tmp_path: Path) -> Shelf:
    """A bundle whose one package is cut into parts."""
    return shelve_whale(tmp_path / "whale")


def _swap(split: Document) -> None:
    split["parts"].reverse()


def _other_whole(split: Document) -> None:
    split["sha256"] = "ab" * 32


def _longer(split: Document) -> None:
    split["size"] += 1


def _strangers(split: Document) -> None:
    split["parts"][0]["sha256"] = "cd" * 32


@pytest.mark.parametrize(
    ("lie", "codes"),
    [(_swap, {4, 6}), (_other_whole, {6}), (_longer, {FORMAT}), (_strangers, {6})],
    ids=["swapped", "another whole", "longer", "a stranger"],
)
def test_031_parts_that_do_not_make_up_what_was_signed_are_refused(
    whale: Shelf, tmp_path: Path, lie: Callable[[Document], None], codes: set[int]
) -> None:
    """Who holds the key says that other parts, or the parts in another order, make up a package."""
    lab, key = whale.lab(tmp_path / "lab"), release_key(whale.hq)
    edit_set(whale.volumes, lambda document: lie(document["split"][0]), key)
    before = lab.state()

    outcome = lab.call("import", *whale.volumes)

    assert outcome.code in codes, outcome.err
    assert lab.state() == before
    assert "Traceback" not in outcome.err
    lab.do("audit")


def test_031_a_part_that_is_a_blob_of_another_repository_stays_when_the_parts_go(tmp_path: Path) -> None:
    """Upstream makes a file of which the first part is a file that the site holds: joining must not take that away."""
    whole = bytes(range(256)) * (4_000_000 // 256)
    hq = connected_site(tmp_path / "hq", whale=_with_image(tmp_path / "whale", whole))
    plan = hq.do("export", "--dry-run", "--json", "--medium", "2500k").document
    part = whole[: plan["split"][0]["parts"][0]["size"]]
    hq.do("repo", "add", "p/kept", _with_image(tmp_path / "kept", part))
    hq.do("sync")
    hq.do("export", "p/kept", "--to", tmp_path / "first")
    hq.do("export", "p/whale", "--to", tmp_path / "set", "--medium", "2500k")
    lab = disconnected_site(tmp_path / "lab", hq)
    lab.do("import", tmp_path / "first")

    lab.do("import", tmp_path / "set")

    assert (lab.root / "published/p/kept/images/file.img").read_bytes() == part
    assert lab.depot.store.has(digest_of(part), len(part))
    lab.do("audit")


def _with_image(directory: Path, image: bytes) -> Path:
    """Write a repository that has an image."""
    return build_repo(directory, ["krill"], treeinfo={"images/file.img": image}).path


def test_031_parity_that_is_a_blob_of_another_repository_stays_when_parity_goes(parity: Shelf, tmp_path: Path) -> None:
    """Who holds the key calls a package that the site holds parity: when parity is done with, the package must stay."""
    made, lab = parity.copied(tmp_path / "made"), parity.lab(tmp_path / "lab")
    lab.do("import", parity.directory)
    data = (parity.volume(1) / "repos/p/zoo/Packages/a/ape-1.0-1.noarch.rpm").read_bytes()
    (made.volume(3) / "parity/0002").write_bytes(data)
    reseal_set(made.volumes, release_key(parity.hq), edit=lambda document: document.update(sequence=2))

    lab.do("import", made.volume(3))

    assert lab.depot.store.has(digest_of(data), len(data))
    lab.do("audit")


def _wrong_block(index: Document) -> None:
    blocks = index["data"][0]["blocks"]
    index["data"][0]["blocks"] = blocks[64:128] + blocks[64:]


def _wrong_parity(index: Document) -> None:
    blocks = index["parity"][0]["blocks"]
    index["parity"][0]["blocks"] = blocks[64:128] + blocks[64:]


def _wrong_file(index: Document) -> None:
    index["data"][0]["files"][1]["sha256"] = "ab" * 32


@pytest.mark.parametrize("lie", [_wrong_block, _wrong_parity, _wrong_file], ids=["block", "parity", "file"])
def test_031_an_index_of_parity_that_is_signed_and_lies_admits_nothing_wrong(
    parity: Shelf, tmp_path: Path, lie: Callable[[Document], None]
) -> None:
    """Who holds the key signs an index of parity that is not that of the volumes, and a volume is lost."""
    made, lab = parity.copied(tmp_path / "made"), parity.lab(tmp_path / "lab")
    index = json.loads(index_of(made.volume(3)))
    lie(index)
    put_index(made.volumes, json.dumps(index, separators=(",", ":")).encode() + b"\n", release_key(parity.hq))
    before = lab.state()

    outcome = lab.call("import", made.volume(2), made.volume(3))

    assert (outcome.code, lab.state() == before) in {(WAITING, True), (DONE, False)}, outcome.err
    lab.do("audit")
    lab.do("import", made.volume(1))
    assert_imported(lab, parity)


@pytest.mark.parametrize("with_index", [True, False], ids=["index too", "files only"])
def test_031_parity_that_was_signed_and_is_none_admits_nothing_wrong(
    parity: Shelf, tmp_path: Path, with_index: bool
) -> None:
    """Who holds the key signs any bytes as parity; what is computed with them has not the digest of any package."""
    made, lab = parity.copied(tmp_path / "made"), parity.lab(tmp_path / "lab")
    file, key = made.volume(3) / "parity/0001", release_key(parity.hq)
    index = json.loads(index_of(made.volume(3)))
    evil = b"evil" * (file.stat().st_size // 4)
    file.write_bytes(evil)
    if with_index:
        block = manifest_of(made.volume(3))["recovery"]["block"]
        index["parity"][0]["files"][0]["sha256"] = digest_of(evil)
        index["parity"][0]["blocks"] = digest_of(evil[:block]) * (len(evil) // block)
    put_index(made.volumes, json.dumps(index, separators=(",", ":")).encode() + b"\n", key)
    before = lab.state()

    outcome = lab.call("import", made.volume(2), made.volume(3))

    assert (outcome.code, lab.state()) == (WAITING, before), outcome.err
    lab.do("audit")
    lab.do("import", made.volume(1))
    assert_imported(lab, parity)


@pytest.mark.parametrize("junk", [b"", b"{}", b"null\n", b"[" * 100_000], ids=["empty", "object", "null", "deep"])
def test_031_an_index_of_parity_that_is_none_is_refused(parity: Shelf, tmp_path: Path, junk: bytes) -> None:
    """Who holds the key signs something else as the index of parity."""
    made, lab = parity.copied(tmp_path / "made"), parity.lab(tmp_path / "lab")
    put_index(made.volumes, junk, release_key(parity.hq))

    refused(lab, FORMAT, made.volume(2), made.volume(3))

    lab.do("import", *made.volumes)
    assert_imported(lab, parity)


@pytest.mark.parametrize(
    "lie",
    [
        {"k": 1, "m": 2},
        {"k": 3, "m": 1},
        {"volumes": [1]},
        {"volumes": []},
        {"block": 4095},
        {"block": (1 << 20) + 4096},
        {"block": 1 << 21},
        {"block": 1 << 25},
        {"stripes": 2**53 - 1},
        {"scheme": "raid"},
    ],
    ids=str,
)
def test_031_words_on_parity_that_do_not_fit_the_bundle_are_refused(
    parity: Shelf, tmp_path: Path, lie: Document
) -> None:
    """Who holds the key says of parity what cannot be."""
    made, lab = parity.copied(tmp_path / "made"), parity.lab(tmp_path / "lab")
    edit_set(made.volumes, lambda document: document["recovery"].update(lie), release_key(parity.hq))

    refused(lab, FORMAT, made.volume(2), made.volume(3), says=("recovery",))

    assert nothing_begun(lab)


@pytest.mark.parametrize("stripes", [0, 1, 2**30])
def test_031_a_number_of_stripes_that_is_not_that_of_the_index_is_refused(
    parity: Shelf, tmp_path: Path, stripes: int
) -> None:
    """Who holds the key promises more stripes, or fewer, than there are; nothing is allotted for them."""
    made, lab = parity.copied(tmp_path / "made"), parity.lab(tmp_path / "lab")
    edit_set(made.volumes, lambda document: document["recovery"].update(stripes=stripes), release_key(parity.hq))

    refused(lab, FORMAT, made.volume(2), made.volume(3), says=("stripes",))


def test_028_a_volume_of_another_bundle_without_its_manifest_serves_nobody(
    parity: Shelf, lab: Site, sets: Sets, spoiled: Shelf, tmp_path: Path
) -> None:
    """Where parity lets a volume be damaged, a disc of another bundle is given as one; nothing of it is taken."""
    site = parity.lab(tmp_path / "site")
    for name in ("manifest.json", "manifest.json.sig"):
        (spoiled.volume(1) / name).unlink()
    before = site.state()

    outcome = site.call("import", parity.volume(1), spoiled.volume(1))

    assert (outcome.code, site.state()) == (WAITING, before)
    assert f"{spoiled.volume(1)}: SHA256SUMS" in outcome.err
    site.do("import", *parity.volumes)
    assert_imported(site, parity)


# what a local user does to what is kept of an unfinished import


def _begun(site: Site, shelf: Shelf, number: int = 1) -> Path:
    """Import one volume, and say where it is remembered."""
    assert site.call("import", shelf.volume(number)).code == WAITING
    (found,) = (site.root / "pending").iterdir()
    return found


def _other_sums(directory: Path, shelf: Shelf) -> None:
    (directory / "2.sums").write_bytes(b"0" * 64 + b"  README.txt\n")


def _sums_of_one_that_never_came(directory: Path, shelf: Shelf) -> None:
    for number in (2, 3):
        (directory / f"{number}.sums").write_bytes((shelf.volume(number) / "SHA256SUMS").read_bytes())


def _no_sums(directory: Path, shelf: Shelf) -> None:
    (directory / "1.sums").unlink()


def _no_manifest(directory: Path, shelf: Shelf) -> None:
    (directory / "manifest.json").unlink()


def _another_manifest(directory: Path, shelf: Shelf) -> None:
    data = (directory / "manifest.json").read_bytes()
    (directory / "manifest.json").write_bytes(data.replace(b"older", b"newer"))


def _junk(directory: Path, shelf: Shelf) -> None:
    (directory / "manifest.json").write_bytes(b"{")


def _no_signatures(directory: Path, shelf: Shelf) -> None:
    (directory / "manifest.json.sig").write_bytes(b"")


def _strange_names(directory: Path, shelf: Shelf) -> None:
    for name in ("99999999999999999999.sums", "x.sums", "0.sums", "-1.sums", ".tmp-x"):
        (directory / name).write_bytes(b"x")
    (directory.parent / "not-a-digest").mkdir()


@pytest.mark.parametrize(
    "tamper",
    [
        _other_sums,
        _sums_of_one_that_never_came,
        _no_sums,
        _no_manifest,
        _another_manifest,
        _junk,
        _no_signatures,
        _strange_names,
    ],
)
def test_029_what_is_kept_of_an_unfinished_import_is_believed_only_as_far_as_it_was_signed(
    lab: Site, sets: Sets, tamper: Callable[[Path, Shelf], None]
) -> None:
    """A local user changes what is remembered of volumes that came, to make an import end early, or never."""
    tamper(_begun(lab, sets.older), sets.older)
    before = lab.state()

    told = lab.do("import", "--status")
    third = lab.call("import", sets.older.volume(3))

    assert (third.code, lab.state()) == (WAITING, before), third.err
    assert sets.older.label(2) in labels_in(third, sets.older.labels)
    assert "Traceback" not in told.err + third.err
    lab.do("import", *sets.older.volumes)
    assert_imported(lab, sets.older)


@pytest.mark.parametrize("tamper", [_junk, _another_manifest, _no_manifest, _no_signatures])
def test_029_what_is_kept_of_one_import_does_not_hinder_another(
    lab: Site, sets: Sets, tamper: Callable[[Path, Shelf], None]
) -> None:
    """A local user, or a dying disk, spoils what is remembered of one bundle; another one is imported."""
    tamper(_begun(lab, sets.older), sets.older)

    lab.do("import", sets.newer.directory)

    assert lab.trees() == sets.newer.hq.trees()
    lab.do("audit")
    lab.do("prune", "--keep", "1")


def test_029_a_link_among_unfinished_imports_is_not_followed_when_it_is_forgotten(
    lab: Site, sets: Sets, tmp_path: Path
) -> None:
    """A local user puts a link to a directory of others where an unfinished import is kept."""
    directory = _begun(lab, sets.older)
    elsewhere = tmp_path / "elsewhere"
    directory.rename(elsewhere)
    (elsewhere / "precious").write_text("mine")
    directory.symlink_to(elsewhere)

    lab.call("import", *sets.older.volumes)

    assert (elsewhere / "precious").read_text() == "mine"
    lab.do("audit")
