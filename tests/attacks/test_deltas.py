"""Attacks on deltas: on a wrong base, in a wrong order, with a wrong result. Rows 18 to 20, 23, and 25 to 27."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from issmedia.base.digest import Digest, digest_of
from issmedia.bundle.layout import tree_path
from issmedia.bundle.listing import pack
from issmedia.depot.keys import FileKey
from issmedia.model.tree import Tree, tree_of
from tests.makers import attacked
from tests.makers.forge import Document, Edit, copied, edit_manifest, manifest_of, release_key, reseal
from tests.makers.repos import FLAT, PackageSpec, build_repo
from tests.makers.sites import Outcome, Site, connected_site, disconnected_site

DELTAS = 4


@dataclass(frozen=True)
class Chain:
    """`hq` and the `volumes` of its chain: a full bundle and deltas from each to the next. `lab` imported the first.

    `stranger` is another site that `lab` trusts; its chain are the volumes `strange`, a full bundle and a delta.
    """

    hq: Site
    key: FileKey
    lab: Site
    volumes: list[Path]
    strange: list[Path]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Make it; nobody changes it."""
    root = tmp_path_factory.mktemp("chain")
    hq, stranger = (connected_site(root / name, zoo=release(root / f"{name}-upstream", 0)) for name in ("hq", "other"))
    strange = exported(stranger, root, 2)
    volumes = exported(hq, root, DELTAS + 1)
    lab = disconnected_site(root / "lab", hq, stranger)
    lab.do("publish", "--base-url", "http://lab.example")
    lab.do("import", volumes[0])
    return Chain(hq, release_key(hq), lab, volumes, strange)


@pytest.fixture
def lab(chain: Chain, tmp_path: Path) -> Site:
    """Copy the site that is attacked."""
    return Site(copied(chain.lab.root, tmp_path / "lab"))


@pytest.fixture
def hq(chain: Chain, tmp_path: Path) -> Site:
    """Copy the sending site."""
    return Site(copied(chain.hq.root, tmp_path / "hq"))


@pytest.fixture
def delta(chain: Chain, tmp_path: Path) -> Path:
    """Copy the first delta, good as it is."""
    return copied(chain.volumes[1], tmp_path / "delta")


@pytest.fixture
def key(chain: Chain) -> FileKey:
    """Give the key that the attacked site trusts."""
    return chain.key


def release(upstream: Path, number: int) -> Path:
    """Let upstream have `stays`, and a package of its own for each release and site."""
    own = PackageSpec(upstream.name, f"{number}.0")
    build_repo(upstream, ["stays", own], layout=FLAT)
    return upstream


def exported(site: Site, root: Path, count: int) -> list[Path]:
    """Export a full bundle, and a delta after each further release."""
    volumes = [root / f"{site.root.name}-{number}" for number in range(count)]
    site.do("export", "--to", volumes[0])
    for number, volume in enumerate(volumes[1:], 1):
        release(root / f"{site.root.name}-upstream", number)
        site.do("sync")
        site.do("export", "--base", volumes[number - 1], "--to", volume)
    return volumes


def assert_refused(lab: Site, volume: Path, code: int, *says: str) -> Outcome:
    """See that a delta is refused with this code and these words, and that neither state nor store changed."""
    before = list(lab.depot.store.walk())
    outcome = attacked.assert_refused(lab, volume, code, *says)
    assert list(lab.depot.store.walk()) == before
    return outcome


def held(lab: Site) -> Tree:
    """Give the tree that a site stands at."""
    return lab.depot.store.tree(Digest(lab.trees()["p/zoo"]))


def bundle_id(volume: Path) -> str:
    """Give a bundle's id."""
    return digest_of((volume / "manifest.json").read_bytes())


def repository(**fields: object) -> Edit:
    """Change fields of the only repository."""
    return lambda document: document["repositories"][0].update(fields)


def test_025_of_four_deltas_only_the_next_one_is_taken_in_whatever_order_they_come(chain: Chain, lab: Site) -> None:
    """The discs of a month are put into the drive in any order, at every stage."""
    taken = []
    for at in range(DELTAS + 1):
        for number in {*range(DELTAS + 1)} - {at, at + 1}:
            says = ("already imported is",) if number < at else (f"starts at hq #{number} (", f"site is at #{at + 1}")
            assert_refused(lab, chain.volumes[number], 6, *says)
        if at < DELTAS:
            lab.do("import", chain.volumes[at + 1])
            taken.append(manifest_of(chain.volumes[at + 1])["repositories"][0]["tree"])

    assert [lab.trees()["p/zoo"], len(set(taken))] == [taken[-1], DELTAS]
    assert lab.trees() == chain.hq.trees()


@pytest.mark.parametrize(
    ("number", "hint"), [(2, "import #2 first"), (3, "import #2 and #3 first"), (4, "import #2, #3 and #4 first")]
)
def test_025_following_the_hint_of_a_refused_delta_works(chain: Chain, lab: Site, number: int, hint: str) -> None:
    """Discs were lost on the way: the operator imports what the refusal names, then the delta."""
    said = assert_refused(lab, chain.volumes[number], 6, f"hint: {hint}; or: issmedia receipt").err

    for name in re.findall(r"#(\d+)", said.partition("hint: import")[2].partition("first")[0]):
        lab.do("import", chain.volumes[int(name) - 1])
    lab.do("import", chain.volumes[number])

    assert lab.trees()["p/zoo"] == manifest_of(chain.volumes[number])["repositories"][0]["tree"]


def test_025_the_other_way_out_is_a_receipt(chain: Chain, lab: Site, hq: Site, tmp_path: Path) -> None:
    """The lost discs are nowhere: the operator follows the second half of the hint."""
    lab.do("keys", "generate", "release")
    assert_refused(lab, chain.volumes[4], 6, "issmedia receipt tells the sender what this site holds; ask for a bundle")
    lab.do("receipt", "--to", tmp_path / "receipt")
    hq.do("site", "add", "lab", "--key", lab.public_key)
    hq.do("receipt", "accept", tmp_path / "receipt")
    hq.do("export", "--to-site", "lab", "--to", tmp_path / "out")

    lab.do("import", tmp_path / "out")

    assert lab.trees() == hq.trees()


def test_025_a_delta_of_another_sites_chain_is_refused_until_that_chain_was_begun(chain: Chain, lab: Site) -> None:
    """Two sites carry a repository of the same name; the delta of the one comes where only the other is held."""
    first, second = chain.strange
    assert_refused(lab, second, 6, "starts at other #1 (", "has imported nothing of its chain", "import #1 first")

    lab.do("import", first)
    lab.do("import", second)

    assert lab.trees()["p/zoo"] == manifest_of(second)["repositories"][0]["tree"]


def test_025_a_base_of_another_chain_is_named_whole_and_each_hint_leads_on(
    chain: Chain, lab: Site, hq: Site, tmp_path: Path
) -> None:
    """A delta for this site alone starts from a bundle for everybody that never came here."""
    hq.do("site", "add", "lab")
    hq.do("export", "--to-site", "lab", "--base", chain.volumes[4], "--to", tmp_path / "out")
    assert_refused(lab, tmp_path / "out", 6, "starts at hq #5 (", "hint: import hq #5 first; or: issmedia receipt")
    assert_refused(lab, chain.volumes[4], 6, "hint: import #2, #3 and #4 first")

    for volume in (*chain.volumes[1:], tmp_path / "out"):
        lab.do("import", volume)

    assert lab.trees() == hq.trees()


def test_025_a_base_that_is_held_is_no_base_of_another_delta(
    chain: Chain, lab: Site, delta: Path, key: FileKey, tmp_path: Path
) -> None:
    """A delta says that it starts from a tree that this site holds, and was made from another."""
    lab.do("import", delta)
    forged = copied(chain.volumes[3], tmp_path / "forged")
    tree = lab.trees()["p/zoo"]

    def rebase(document: Document) -> None:
        document["repositories"][0]["base_trees"] = [tree]
        document["trees"][0]["dictionary"] = tree

    edit_manifest(forged, rebase, key)

    before = lab.state(), list(lab.depot.store.walk())
    outcomes = lab.call("verify", forged), lab.call("import", forged)
    assert before == (lab.state(), list(lab.depot.store.walk()))
    assert {outcome.code for outcome in outcomes} <= {5, 6}


def test_025_a_base_that_lost_a_file_is_not_enough_and_its_bundle_brings_it_back(
    chain: Chain, lab: Site, delta: Path
) -> None:
    """Somebody removed a package from the store: the delta does not carry it, and nothing half-made is named."""
    entry = held(lab).find("stays-1.0-1.noarch.rpm")
    assert entry is not None
    lab.depot.store.remove(entry.sha256)

    assert_refused(lab, delta, 6, f"{entry.path}: is on no volume, and its blob {entry.sha256} is not here")

    hint = lab.call("import", delta).err
    assert "what this delta starts from is damaged here: import its base again" in hint
    lab.do("import", chain.volumes[0])
    lab.do("import", delta)


def test_025_a_base_whose_listing_was_lost_is_named(lab: Site, delta: Path) -> None:
    """Somebody removed the listing that the delta's listing is a patch to."""
    tree = held(lab).digest
    lab.depot.store.remove(tree)

    for command in ("verify", "import"):
        before = lab.depot.catalog.path.read_bytes(), list(lab.depot.store.walk())
        outcome = lab.call(command, delta)

        assert (outcome.code, tree in outcome.err, "issmedia audit" in outcome.err) == (4, True, True)
        assert before == (lab.depot.catalog.path.read_bytes(), list(lab.depot.store.walk()))


@pytest.mark.parametrize(
    "edit",
    [
        repository(base_trees=[]),
        lambda document: document.update(kind="full"),
        lambda document: document.update(bases=[]),
        lambda document: document["trees"][0].update(dictionary="ab" * 32),
    ],
    ids=["no base trees", "kind", "no bases", "dictionary"],
)
def test_025_a_delta_that_contradicts_itself_is_refused(lab: Site, delta: Path, key: FileKey, edit: Edit) -> None:
    """Who holds the key makes a delta that passes for a full bundle, or a listing patched against anything."""
    edit_manifest(delta, edit, key)

    assert_refused(lab, delta, 5, "manifest.json")


def test_026_a_patch_that_was_altered_on_the_way_is_refused(lab: Site, delta: Path) -> None:
    """One byte of the patch that makes the new listing from the old one is changed."""
    (patch,) = (delta / "trees").iterdir()
    data = bytearray(patch.read_bytes())
    data[len(data) // 2] ^= 1
    patch.write_bytes(data)

    assert_refused(lab, delta, 6, f"trees/{patch.name}", "expected sha256")


def test_026_a_listing_in_which_one_removal_was_dropped_is_refused(
    chain: Chain, lab: Site, delta: Path, key: FileKey
) -> None:
    """The builder keeps an old package with known holes in the listing, and signs the digest of the right one."""
    old, promised = held(lab), manifest_of(delta)["repositories"][0]["tree"]
    new = chain.hq.depot.store.tree(promised)
    dropped = next(entry for entry in old.entries if entry.path.startswith("hq-upstream-0.0"))
    lie = tree_of([*new.entries, dropped])
    stored = pack(lie.encode(), old.encode())
    (delta / tree_path(promised)).write_bytes(stored)

    def fit(document: Document) -> None:
        document["trees"][0]["size"] = len(lie.encode())
        document["trees"][0]["stored"] = {"sha256": digest_of(stored), "size": len(stored)}

    reseal(delta, key, edit=fit)

    assert_refused(lab, delta, 6, f"expected tree {promised}, found {lie.digest}")


@pytest.mark.parametrize("field", ["files", "all", "added", "removed"])
def test_026_counts_that_are_not_those_of_the_change_are_refused(
    lab: Site, delta: Path, key: FileKey, field: str
) -> None:
    """The manifest that people approve says that less is added or removed than is."""
    value = manifest_of(delta)["repositories"][0][field]
    lie = value - 1 if field == "files" else {**value, "blobs": value["blobs"] - 1}

    edit_manifest(delta, repository(**{field: lie}), key)

    assert_refused(lab, delta, 5, "p/zoo", "the manifest's counts are not those of the listing")


def test_026_a_delta_without_a_blob_that_its_base_lacks_is_refused(lab: Site, delta: Path, key: FileKey) -> None:
    """The builder leaves out a package that is new; sums and manifest are signed as they are."""
    (package,) = (delta / "repos/p/zoo").glob("*.rpm")
    package.unlink()
    reseal(delta, key)

    assert_refused(lab, delta, 6, f"{package.name}: is on no volume")


def test_018_a_delta_that_was_imported_long_ago_is_refused_until_it_is_named(
    chain: Chain, lab: Site, delta: Path
) -> None:
    """An old delta is replayed; its base is held, so nothing but its number speaks against it."""
    for volume in chain.volumes[1:4]:
        lab.do("import", volume)
    said = assert_refused(lab, delta, 6, "has sequence 2, already imported is 4").err

    command = re.findall("hint: to go back on purpose: issmedia (import --allow-rollback [0-9a-f]+)", said)[-1]
    lab.do(*command.split(), delta)

    assert lab.trees()["p/zoo"] == manifest_of(delta)["repositories"][0]["tree"]


def test_019_a_delta_of_a_number_that_was_imported_with_other_content_is_an_alarm(
    lab: Site, delta: Path, key: FileKey
) -> None:
    """Who holds the key makes two deltas of one number, for two sites."""
    lab.do("import", delta)
    first = bundle_id(delta)
    edit_manifest(delta, lambda document: document.update(notes="another"), key)

    assert_refused(lab, delta, 6, "ALARM", first, bundle_id(delta))


def test_020_the_same_delta_again_changes_nothing(lab: Site, delta: Path) -> None:
    """The same disc is put into the drive again."""
    lab.do("import", delta)
    before = lab.state()

    outcome = lab.do("import", delta)

    assert (lab.state(), "imported before; nothing to do" in outcome.err) == (before, True)


def test_023_an_expired_delta_is_refused(lab: Site, delta: Path, key: FileKey) -> None:
    """A delta is kept back until its content is stale."""
    past = {"created": "2020-01-01T00:00:00Z", "expires": "2020-02-01T00:00:00Z"}
    edit_manifest(delta, lambda document: document.update(past), key)

    assert_refused(lab, delta, 6, "expired at 2020-02-01T00:00:00Z")


def test_027_a_delta_for_another_site_is_refused_though_its_base_is_held(lab: Site, delta: Path, key: FileKey) -> None:
    """A delta for a site with other rules is carried here."""
    edit_manifest(delta, lambda document: document.update(destination="prod"), key)

    assert_refused(lab, delta, 6, "meant for site 'prod', this is 'lab'")
