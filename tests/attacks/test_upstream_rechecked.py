"""Attacks by a signing site that was taken over: the importing site judges upstream's signatures by its own keys."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from issmedia.depot.keys import FileKey
from tests.makers.forge import copied, edit_manifest, release_key
from tests.makers.openpgp import OpenPGPKey, openpgp_key
from tests.makers.relabelled import as_source, relabel, sign_repomd
from tests.makers.repos import FLAT, PackageSpec, build_repo
from tests.makers.rpms import build_rpm
from tests.makers.sites import Outcome, Site, connected_site, disconnected_site

VENDOR, THIEF = openpgp_key("vendor"), openpgp_key("thief")
OLD = (PackageSpec("alpha"), PackageSpec("beta"))


@dataclass(frozen=True)
class Taken:
    """Site `hq`, which somebody took over, and its upstream; `lab` imported its first bundle, and pinned the vendor."""

    hq: Site
    upstream: Path
    lab: Site

    @property
    def key(self) -> FileKey:
        """Give the key that the lab trusts for bundles."""
        return release_key(self.hq)

    def bundle(self, volume: Path, packages: Iterable[bytes | PackageSpec], key: OpenPGPKey | None) -> Path:
        """Export the next bundle of these packages; `key` signs the metadata, and specs."""
        build_repo(self.upstream, packages, layout=FLAT, sign_with=key)
        for command in (("sync",), ("export", "--to", volume)):
            assert self.hq.call(*command).code in (0, 7)
        return volume


@pytest.fixture(scope="session")
def before(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """Both sites after the first bundle; nobody changes them."""
    root = tmp_path_factory.mktemp("taken")
    build_repo(root / "upstream", OLD, layout=FLAT, sign_with=VENDOR)
    hq = connected_site(root / "hq", zoo=root / "upstream")
    hq.do("export", "--to", root / "first")
    lab = disconnected_site(root / "lab", hq)
    lab.do("import", root / "first")
    (root / "vendor.asc").write_bytes(VENDOR.public)
    lab.do("repo", "set", "p/zoo", "--gpg-key", root / "vendor.asc")
    return Taken(hq, root / "upstream", lab)


@pytest.fixture
def taken(before: Taken, tmp_path: Path) -> Taken:
    """A copy to spoil."""
    upstream = copied(before.upstream, tmp_path / "upstream")
    hq, lab = Site(copied(before.hq.root, tmp_path / "hq")), Site(copied(before.lab.root, tmp_path / "lab"))
    hq.do("repo", "set", "p/zoo", "--source", upstream)
    return Taken(hq, upstream, lab)


def refused(lab: Site, volume: Path, *says: str) -> Outcome:
    """See that an import is refused with these words, and that nothing changed."""
    state = lab.state()

    outcome = lab.call("import", volume)

    assert outcome.code == 6, outcome.err
    assert lab.state() == state
    assert [word for word in says if word not in outcome.err] == [], outcome.err
    return outcome


def test_054_what_the_vendor_signed_is_imported(taken: Taken, tmp_path: Path) -> None:
    """Nobody attacks: the judge of the attacks below lets pass what is good."""
    volume = taken.bundle(tmp_path / "volume", [*OLD, PackageSpec("gamma")], VENDOR)

    said = taken.lab.do("import", volume).out

    assert f"p/zoo: upstream's signatures: 3 packages good by {VENDOR.fingerprint}; repomd.xml good by" in said


@pytest.mark.parametrize(
    "package",
    [
        lambda: build_rpm("gamma", signer=THIEF.signer),
        lambda: build_rpm("gamma"),
        lambda: build_rpm("gamma", signer=VENDOR.signer)[:-9] + b"backdoor!",
    ],
    ids=["by the thief", "unsigned", "changed"],
)
def test_054_a_package_by_the_senders_own_hand_is_refused_with_all_of_its_bundle(
    taken: Taken, tmp_path: Path, package: Callable[[], bytes]
) -> None:
    """The attacker signs bundles as the sender does, and adds a package that the vendor never signed."""
    good = (build_rpm(one.name, signer=VENDOR.signer) for one in OLD)
    volume = taken.bundle(tmp_path / "volume", [*good, package()], VENDOR)

    outcome = refused(taken.lab, volume, "p/zoo: gamma-1.0-1.noarch.rpm", "repo set p/zoo --gpgcheck warn")

    assert "alpha" not in outcome.err


def test_054_bytes_that_a_refused_import_left_in_the_store_are_judged_again(taken: Taken, tmp_path: Path) -> None:
    """The attacker sends the same bundle again, and a further one of the same packages: their bytes are here by now."""
    packages = [build_rpm("alpha", signer=THIEF.signer)]
    first = taken.bundle(tmp_path / "first", packages, VENDOR)
    refused(taken.lab, first)
    again = taken.bundle(tmp_path / "again", [*packages, build_rpm("delta", signer=VENDOR.signer)], VENDOR)

    refused(taken.lab, first, "alpha")
    refused(taken.lab, again, "alpha")


def test_054_a_package_under_another_name_is_judged_as_one(taken: Taken, tmp_path: Path) -> None:
    """The attacker lets the metadata list a package by a name that looks like none."""
    volume = taken.bundle(tmp_path / "volume", [build_rpm("gamma", signer=THIEF.signer)], VENDOR)
    build_repo(taken.upstream, [build_rpm("delta")], layout="{initial}.drpm", sign_with=VENDOR)
    taken.hq.do("sync")
    taken.hq.do("export", "--to", tmp_path / "named")

    refused(taken.lab, volume, "gamma")
    refused(taken.lab, tmp_path / "named", "p/zoo: d.drpm")


def test_054_metadata_whose_signature_was_stripped_are_refused(taken: Taken, tmp_path: Path) -> None:
    """The attacker makes repodata of his own, of packages that are the vendor's, and leaves out the signature."""
    volume = taken.bundle(tmp_path / "volume", [build_rpm("alpha", signer=VENDOR.signer)], None)

    edit_manifest(volume, lambda manifest: manifest["repositories"][0].update(signed_metadata=False), taken.key)

    refused(taken.lab, volume, "p/zoo: repodata/repomd.xml: unsigned", "--repo-gpgcheck warn")


def test_054_that_metadata_were_signed_is_not_forgotten_over_two_bundles(taken: Taken, tmp_path: Path) -> None:
    """The attacker first says of signed metadata that they are not, and strips the signature in the next bundle."""
    says_unsigned = lambda manifest: manifest["repositories"][0].update(signed_metadata=False)  # noqa: E731
    signed = taken.bundle(tmp_path / "signed", [*OLD, PackageSpec("gamma")], VENDOR)
    edit_manifest(signed, says_unsigned, taken.key)
    taken.lab.do("import", signed)
    stripped = taken.bundle(tmp_path / "stripped", [build_rpm("alpha", signer=VENDOR.signer)], None)
    edit_manifest(stripped, says_unsigned, taken.key)

    refused(taken.lab, stripped, "p/zoo: repodata/repomd.xml: unsigned")


def test_054_metadata_that_another_key_signed_are_refused(taken: Taken, tmp_path: Path) -> None:
    """The attacker signs the repodata himself, and puts his key beside them."""
    volume = taken.bundle(tmp_path / "volume", [build_rpm("alpha", signer=VENDOR.signer)], THIEF)

    refused(taken.lab, volume, "p/zoo: repodata/repomd.xml: cannot judge")


def test_054_the_senders_word_that_all_is_good_counts_for_nothing(taken: Taken, tmp_path: Path) -> None:
    """The attacker pins his own key at the sender, which finds all of it good, and says so in the manifest."""
    (tmp_path / "thief.asc").write_bytes(THIEF.public)
    taken.hq.do("repo", "set", "p/zoo", "--gpg-key", tmp_path / "thief.asc", "--gpgcheck", "require")

    volume = taken.bundle(tmp_path / "volume", [PackageSpec("gamma")], THIEF)

    assert f"as the sender says: 1 package good by {THIEF.fingerprint}" in taken.lab.do("inspect", volume).out
    refused(taken.lab, volume, "gamma", THIEF.fingerprint)


def sent(taken: Taken, volume: Path) -> Path:
    """Export what the attacker made of the upstream."""
    assert taken.hq.call("sync").code in (0, 7)
    taken.hq.do("export", "--to", volume)
    return volume


@pytest.mark.parametrize("within", ["", "Extra"], ids=["its own metadata", "those of a variant"])
@pytest.mark.parametrize("known", [False, True], ids=["a new package", "one that was imported before"])
def test_055_a_package_that_is_listed_as_another_is_refused(
    taken: Taken, tmp_path: Path, within: str, known: bool
) -> None:
    """The attacker lists an old package, which the vendor signed, as something newer, and signs the metadata."""
    taken.lab.do("repo", "set", "p/zoo", "--repo-gpgcheck", "off")
    repo = taken.upstream / within
    build_repo(repo, ["alpha"], layout=FLAT, compression="none", sign_with=VENDOR)
    if within:
        (taken.upstream / ".treeinfo").write_text("[variant-Extra]\nrepository = Extra\n")
    if known:
        taken.lab.do("import", sent(taken, tmp_path / "honest"))
    relabel(repo, b'ver="1.0"', b'ver="9.9"', key=VENDOR)

    volume = sent(taken, tmp_path / "volume")

    refused(taken.lab, volume, "header says alpha-1.0-1.noarch, the metadata say alpha-9.9-1.noarch", "--gpgcheck warn")


def test_055_a_source_package_that_is_listed_as_a_binary_one_is_refused(taken: Taken, tmp_path: Path) -> None:
    """The attacker lists the vendor's source package as one to install."""
    source = as_source(build_rpm("gamma"), VENDOR)

    volume = taken.bundle(tmp_path / "volume", [*OLD, source], VENDOR)

    refused(taken.lab, volume, "its header says gamma-1.0-1.src, the metadata say gamma-1.0-1.noarch")


@pytest.mark.parametrize("signer", [None, THIEF], ids=["unsigned", "by the thief"])
@pytest.mark.parametrize("named", [True, False], ids=["variant", "nobody names it"])
def test_054_metadata_within_the_tree_are_judged_like_its_own(
    taken: Taken, tmp_path: Path, signer: OpenPGPKey | None, named: bool
) -> None:
    """The attacker puts a repository of his own beside what the vendor signed, of the vendor's packages."""
    build_repo(taken.upstream / "Extra", [build_rpm("alpha", signer=VENDOR.signer)], layout=FLAT)
    if signer:
        sign_repomd(taken.upstream / "Extra", signer)
    if named:
        (taken.upstream / ".treeinfo").write_text("[variant-Extra]\nrepository = Extra\n")

    volume = sent(taken, tmp_path / "volume")

    refused(taken.lab, volume, "p/zoo: repodata/repomd.xml: cannot judge: Extra/repodata/repomd.xml", "--repo-gpgcheck")
    taken.lab.do("repo", "set", "p/zoo", "--repo-gpgcheck", "warn")
    assert "warning: p/zoo: repodata/repomd.xml: cannot judge: Extra/" in taken.lab.do("import", volume).err


def test_055_metadata_within_the_tree_that_cannot_be_read_are_refused(taken: Taken, tmp_path: Path) -> None:
    """The attacker writes repodata that a client reads and we do not, and so could call packages what he likes."""
    (taken.upstream / "x/repodata").mkdir(parents=True)
    (taken.upstream / "x/repodata/repomd.xml").write_bytes(b"<repomd>")
    sign_repomd(taken.upstream / "x", VENDOR)

    volume = sent(taken, tmp_path / "volume")

    refused(taken.lab, volume, "p/zoo: x/repodata/repomd.xml: cannot judge: what it calls packages is not known")


def exception(path: str = "a.rpm", **said: str) -> dict[str, str]:
    """Write what the manifest says of a package that is bad."""
    return {"path": path, "verdict": "bad", "reason": "x"} | said


@pytest.mark.parametrize(
    "said",
    [
        {"surprise": 1},
        {"policy": "trust me"},
        {"keys": ["B" * 39]},
        {"keys": ["B" * 40, "B" * 40]},
        {"keys": [f"{number:040X}" for number in range(1001)]},
        {"counts": {"bad": -1}},
        {"counts": {"good": 7}},
        {"signers": [{"key": "B" * 40, "packages": 0}]},
        {"counts": {"unsigned": 1}, "exceptions": [exception()]},
        {"counts": {"bad": 2}, "exceptions": [exception(), exception()]},
        {"counts": {"bad": 200}, "exceptions": [exception(f"{number}.rpm") for number in range(101)]},
        {"counts": {"bad": 1}, "exceptions": [exception(verdict="good")]},
        {"counts": {"bad": 1}, "exceptions": [exception("../a.rpm")]},
        {"counts": {"bad": 1}, "exceptions": [exception(reason="x" * 301)]},
        {"metadata": {"verdict": "good", "key": "B" * 40}},
    ],
)
def test_036_044_an_outcome_that_cannot_be_is_refused(taken: Taken, tmp_path: Path, said: dict[str, object]) -> None:
    """The attacker fills what the manifest says of signatures with lies, paths that lead out, and more than is read."""
    volume = taken.bundle(tmp_path / "volume", [PackageSpec("gamma")], VENDOR)
    trust = {"policy": "warn", "metadata_policy": "off"} | said
    state = taken.lab.state()

    edit_manifest(volume, lambda manifest: manifest["repositories"][0].update(trust=trust), taken.key)

    assert taken.lab.call("import", volume).code == 5
    assert taken.lab.state() == state
