"""Attacks by an upstream, or whoever stands before it, on a site that pinned the vendor's key: rows 54, 55, 73."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from issmedia.base.errors import UsageError
from tests.makers.http_server import FOR_EVER, Answer, serving
from tests.makers.openpgp import OpenPGPKey, openpgp_key
from tests.makers.relabelled import as_source, relabel, sign_repomd
from tests.makers.repodata import Pkg, write_packages
from tests.makers.repos import FLAT, PackageSpec, build_repo, sample_repo
from tests.makers.rpms import build_rpm
from tests.makers.signed_rpms import variants
from tests.makers.sites import Outcome, Site

VENDOR, THIEF = openpgp_key("vendor"), openpgp_key("thief")
REPOMD, ASC = "repodata/repomd.xml", "repodata/repomd.xml.asc"
AS_9 = b'<version epoch="0" ver="1.0"', b'<version epoch="0" ver="9.9"'
TREEINFO = "[general]\nfamily = Zoo\nversion = 1\n[variant-Extra]\nrepository = Extra\npackages = Extra\n"
RENAMED = "bad: its header says app-1.0-1.noarch, the metadata say app-9.9-1.noarch"


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """What the vendor signed."""
    return sample_repo(tmp_path / "upstream", key=VENDOR).path


@pytest.fixture
def site(tmp_path: Path, upstream: Path) -> Site:
    """A site that pinned the vendor's key, synced p/zoo, and published it."""
    (tmp_path / "vendor.asc").write_bytes(VENDOR.public)
    site = Site(tmp_path / "hq")
    site.do("init", "--name", "hq")
    site.do("repo", "add", "p/zoo", upstream, "--gpg-key", tmp_path / "vendor.asc")
    site.do("sync")
    site.do("publish")
    return site


def assert_refused(site: Site, code: int, *says: str) -> Outcome:
    """See that a sync is refused with these words, and that nothing changed."""
    before = site.state()

    outcome = site.call("sync")

    assert outcome.code == code, outcome.err
    assert [word for word in says if word not in outcome.err] == [], outcome.err
    assert site.state() == before
    return outcome


def revise(upstream: Path, more: bytes = b"<!-- evil -->") -> bytes:
    """Change repomd.xml so that it still parses; give what it was."""
    before = (upstream / REPOMD).read_bytes()
    (upstream / REPOMD).write_bytes(before.replace(b"</repomd>", more + b"</repomd>"))
    return before


def strip(upstream: Path) -> None:
    """Take the signature away."""
    revise(upstream)
    (upstream / ASC).unlink()


def replay(upstream: Path) -> None:
    """Leave the signature of the former repomd.xml there."""
    revise(upstream)


def sign_as_thief(upstream: Path) -> None:
    """Sign by another key, and offer that key where dnf looks for one."""
    revise(upstream)
    (upstream / ASC).write_bytes(THIEF.sign_detached((upstream / REPOMD).read_bytes()))
    (upstream / f"{REPOMD}.key").write_bytes(THIEF.public)


def put_a_second_signature(upstream: Path) -> None:
    """Put a second signature, by the thief, behind the good one of the former metadata."""
    good = (upstream / ASC).read_bytes()
    revise(upstream)
    (upstream / ASC).write_bytes(good + THIEF.sign_detached((upstream / REPOMD).read_bytes()))


def sign_in_other_words(upstream: Path) -> None:
    """Give a signature that is none."""
    revise(upstream)
    (upstream / ASC).write_bytes(b"-----BEGIN PGP SIGNATURE-----\n\ntrust me\n-----END PGP SIGNATURE-----\n")


@pytest.mark.parametrize("selected", [False, True], ids=["whole", "selected"])
@pytest.mark.parametrize(
    ("attack", "verdict"),
    [
        (strip, "unsigned: upstream has no signature of it"),
        (replay, "bad: its signature is not of these bytes"),
        (sign_as_thief, "cannot judge: is signed by the key"),
        (put_a_second_signature, "cannot judge: has something behind its PGP SIGNATURE"),
        (sign_in_other_words, "cannot judge: "),
    ],
)
def test_054_metadata_that_the_vendor_did_not_sign_are_refused_and_nothing_changes(
    site: Site, upstream: Path, attack: Callable[[Path], None], verdict: str, selected: bool
) -> None:
    """The attacker changes repomd.xml and strips, replays or forges its signature."""
    if selected:
        site.do("repo", "set", "p/zoo", "--newest", "1")
        site.do("sync")
    attack(upstream)

    assert_refused(site, 6, REPOMD, verdict, "nothing was changed")


def test_054_metadata_are_not_parsed_before_they_are_judged(site: Site, upstream: Path) -> None:
    """The attacker sends what would break a parser, under the signature of something else."""
    (upstream / REPOMD).write_bytes(b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><repomd>&a;&a;')

    outcome = assert_refused(site, 6, "bad: its signature is not of these bytes")

    assert "DOCTYPE" not in outcome.err


def test_054_a_signature_that_is_held_back_leaves_what_was(site: Site, upstream: Path) -> None:
    """The attacker lets the changed metadata pass and answers for the signature that the server is busy."""
    with serving(upstream) as server:
        site.do("repo", "set", "p/zoo", "--source", server.url, "--tries", "1")
        revise(upstream)
        server.behave(ASC, Answer(503, times=FOR_EVER))

        assert_refused(site, 3, "its signature cannot be had")


def test_054_a_first_sync_can_ask_for_a_signature_too(site: Site, tmp_path: Path) -> None:
    """The attacker strips the signature before the site has ever seen one."""
    naked = sample_repo(tmp_path / "naked").path
    site.do("repo", "add", "p/new", naked, "--gpg-key", tmp_path / "vendor.asc", "--repo-gpgcheck", "require")

    outcome = site.call("sync", "p/new")

    assert (outcome.code, "unsigned: upstream has no signature of it" in outcome.err) == (6, True)
    assert site.do("repo", "show", "p/new", "--json").document["snapshots"] == []


def test_054_packages_by_another_key_are_refused_and_nothing_changes(site: Site, upstream: Path) -> None:
    """The attacker built all packages anew, and no signature of the metadata is asked for."""
    site.do("repo", "set", "p/zoo", "--repo-gpgcheck", "off")
    site.do("sync")
    shutil.rmtree(upstream)
    sample_repo(upstream, key=THIEF)

    assert_refused(site, 6, "none of 5 packages is signed by a pinned key", f"key {THIEF.fingerprint}")


@pytest.mark.parametrize("selected", [False, True], ids=["whole", "selected"])
@pytest.mark.parametrize("name", ["unsigned", "payload changed", "header only", "by a stranger"])
def test_054_a_package_that_is_not_good_is_in_no_snapshot_and_reaches_no_client(
    site: Site, upstream: Path, name: str, selected: bool
) -> None:
    """The attacker slips one package among those of the vendor, at two syncs."""
    names = ["base", "library", "streamed"]
    packages = [*(PackageSpec(one).build(VENDOR) for one in names), variants()[name].package]
    shutil.rmtree(upstream)
    repo = build_repo(upstream, packages, sign_with=VENDOR)
    if selected:
        site.do("repo", "set", "p/zoo", "--newest", "1")

    first, second = site.call("sync", "--json"), site.call("sync", "--json")
    site.do("publish")

    href = repo.package("app").href
    for outcome in (first, second):
        (result,) = outcome.document["repositories"]
        assert outcome.code == 7
        assert [one["path"] for one in result["incomplete"]] == [href]
        assert (result["trust"]["counts"]["good"], len(result["trust"]["exceptions"])) == (3, 1)
    published = site.root / "published/p/zoo"
    assert sorted(path.name for path in published.rglob("*.rpm")) == sorted(f"{one}-1.0-1.noarch.rpm" for one in names)


def test_054_a_package_that_no_metadata_name_is_judged_like_all_others(site: Site, upstream: Path) -> None:
    """The attacker can write to the directory that is synced, and leaves a package there."""
    (upstream / "extra.rpm").write_bytes(variants()["by a stranger"].package)
    revise(upstream, b"")
    (upstream / ASC).write_bytes(VENDOR.sign_detached((upstream / REPOMD).read_bytes()))

    outcome = site.call("sync", "--json")

    assert outcome.code == 7
    assert [one["path"] for one in outcome.document["repositories"][0]["incomplete"]] == ["extra.rpm"]


def test_054_a_key_that_upstream_changed_is_not_taken_for_the_one_that_is_pinned(site: Site, tmp_path: Path) -> None:
    """The attacker offers the vendor's key, fingerprint and all, that lives on though it should have expired."""
    old = tmp_path / "old.asc"
    old.write_bytes(openpgp_key("vendor", lives_s=100).public)
    before = site.state()

    outcome = site.call("repo", "set", "p/zoo", "--gpg-key", old)

    assert outcome.code == UsageError.exit_code
    assert f"--renew {VENDOR.fingerprint}" in outcome.err
    assert site.state() == before


def test_073_an_upstream_that_breaks_the_judge_costs_only_what_it_sent(site: Site, upstream: Path) -> None:
    """The attacker sends a package whose header claims four thousand million entries, beside honest ones."""
    honest = PackageSpec("base", "1").build(VENDOR)
    greedy = honest[:104] + b"\xff" * 8 + honest[112:]
    shutil.rmtree(upstream)
    write_packages(upstream, [Pkg("base.rpm", honest, "base"), Pkg("greedy.rpm", greedy)])
    (upstream / ASC).write_bytes(VENDOR.sign_detached((upstream / REPOMD).read_bytes()))

    outcome = site.call("sync", "--json")

    (result,) = outcome.document["repositories"]
    assert outcome.code == 7
    assert [one["path"] for one in result["incomplete"]] == ["greedy.rpm"]
    assert result["incomplete"][0]["reason"].startswith("cannot judge: ")
    assert result["trust"]["counts"]["good"] == 1


def test_054_a_rollback_does_not_forget_that_upstream_signs(site: Site, upstream: Path) -> None:
    """The attacker strips the signature after the site went back to before its first sync."""
    site.do("rollback", "p/zoo")
    strip(upstream)

    assert_refused(site, 6, REPOMD, "unsigned: upstream has no signature of it")


@pytest.mark.parametrize("patient", [False, True], ids=["at once", "long before"])
def test_054_a_selection_does_not_forget_that_upstream_signs_before_a_key_is_pinned(
    site: Site, upstream: Path, tmp_path: Path, patient: bool
) -> None:
    """The attacker strips the signature before the site pins the key: that day, or so early that a sync saw it."""
    site.do("repo", "add", "p/part", upstream, "--newest", "1")
    site.do("repo", "remove", "p/zoo", "--yes")
    site.do("sync")
    strip(upstream)
    if patient:
        site.do("sync")
        revise(upstream)
    site.do("publish", "--base-url", "http://hq.example")
    site.do("repo", "set", "p/part", "--gpg-key", tmp_path / "vendor.asc")

    assert_refused(site, 6, REPOMD, "unsigned: upstream has no signature of it")
    assert "repo_gpgcheck=0" in (site.root / "published/issmedia.repo").read_text()


def test_054_a_selection_of_a_signed_upstream_that_nobody_judged_is_told_so_later(
    site: Site, upstream: Path, tmp_path: Path
) -> None:
    """The attacker strips the signature and nothing else, where the site once chose not to look at any."""
    choices = ("--newest", "1", "--gpg-key", tmp_path / "vendor.asc", "--gpgcheck", "off", "--repo-gpgcheck", "off")
    site.do("repo", "remove", "p/zoo", "--yes")
    site.do("repo", "add", "p/part", upstream, *choices)
    site.do("sync")
    (upstream / ASC).unlink()
    site.do("repo", "set", "p/part", "--gpgcheck", "default", "--repo-gpgcheck", "default")

    assert_refused(site, 6, REPOMD, "unsigned: upstream has no signature of it")


def add_variant(upstream: Path, package: bytes, layout: str = FLAT, key: OpenPGPKey | None = None) -> None:
    """Put a repository of a package in Extra, and name it in .treeinfo as that of a variant."""
    extra = build_repo(upstream / "Extra", [package], layout=layout)
    if key is not None:
        (upstream / "Extra" / ASC).write_bytes(key.sign_detached(extra.repomd.read_bytes()))
    (upstream / ".treeinfo").write_text(TREEINFO)
    revise(upstream, b"")
    (upstream / REPOMD).write_bytes((upstream / REPOMD).read_bytes() + b"\n")
    (upstream / ASC).write_bytes(VENDOR.sign_detached((upstream / REPOMD).read_bytes()))


def incomplete(outcome: Outcome) -> dict[str, str]:
    """Give what a sync left out, path → reason."""
    return {one["path"]: one["reason"] for one in outcome.document["repositories"][0]["incomplete"]}


def test_054_a_package_by_any_other_name_is_judged_in_a_variant_too(site: Site, upstream: Path) -> None:
    """The attacker names a package so that it does not look like one, in the repository of a variant."""
    add_variant(upstream, build_rpm("evil", signer=THIEF.signer), "{initial}.bin", key=VENDOR)

    outcome = site.call("sync", "--json")
    site.do("publish")

    left_out = incomplete(outcome)
    assert (outcome.code, list(left_out)) == (7, ["Extra/e.bin"])
    assert left_out["Extra/e.bin"].startswith("cannot judge: ")
    assert not (site.root / "published/p/zoo/Extra/e.bin").exists()


def test_054_a_package_by_any_other_name_is_judged_in_a_directory_too(site: Site, upstream: Path) -> None:
    """The attacker leaves packages in the directory that is synced, and repodata below it that name them."""
    build_repo(upstream / "x", [build_rpm("evil", signer=THIEF.signer)], layout="{initial}.drpm")
    sign_repomd(upstream / "x", VENDOR)

    first, second = site.call("sync", "--json"), site.call("sync", "--json")

    assert [(one.code, list(incomplete(one))) for one in (first, second)] == [(7, ["x/e.drpm"])] * 2


@pytest.mark.parametrize(
    ("key", "verdict"), [(None, "unsigned: upstream has no signature"), (THIEF, "cannot judge: is signed by the key")]
)
def test_054_metadata_of_a_variant_are_judged_like_the_main_ones(
    site: Site, upstream: Path, key: OpenPGPKey | None, verdict: str
) -> None:
    """The attacker changes the metadata of a variant, which lie beside those that the vendor signed."""
    add_variant(upstream, build_rpm("extra", signer=VENDOR.signer), key=key)

    outcome = site.call("sync", "--json")
    site.do("publish")

    left_out = incomplete(outcome)
    assert (outcome.code, list(left_out)) == (7, [f"Extra/{REPOMD}"])
    assert left_out[f"Extra/{REPOMD}"].startswith(verdict)
    assert not (site.root / "published/p/zoo/Extra" / REPOMD).exists()


def test_054_metadata_of_a_variant_are_not_parsed_before_they_are_judged(site: Site, upstream: Path) -> None:
    """The attacker sends what would break a parser as the metadata of a variant."""
    add_variant(upstream, build_rpm("extra", signer=VENDOR.signer), key=VENDOR)
    (upstream / "Extra" / REPOMD).write_bytes(b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><repomd>&a;')

    outcome = site.call("sync", "--json")

    assert incomplete(outcome) == {
        f"Extra/{REPOMD}": "bad: its signature is not of these bytes, or not by a key that may sign"
    }


@pytest.mark.parametrize("signed", [True, False], ids=["both signed", "none signed"])
def test_a_variant_syncs_where_it_is_signed_or_the_main_metadata_are_not(
    site: Site, tmp_path: Path, signed: bool
) -> None:
    upstream = build_repo(tmp_path / "other", [PackageSpec("base").build(VENDOR)]).path
    add_variant(upstream, build_rpm("extra", signer=VENDOR.signer), key=VENDOR if signed else None)
    if not signed:
        (upstream / ASC).unlink()
    site.do("repo", "add", "p/other", upstream, "--gpg-key", tmp_path / "vendor.asc")

    outcome = site.call("sync", "p/other", "--json")

    assert (outcome.code, incomplete(outcome)) == (0, {})


@pytest.mark.parametrize("after_a_good_one", [False, True], ids=["at once", "later"])
def test_055_a_package_that_is_listed_as_another_is_refused(site: Site, upstream: Path, after_a_good_one: bool) -> None:
    """The attacker lists what the vendor signed as app-1.0 as app-9.9, in metadata that need no signature."""
    site.do("repo", "set", "p/zoo", "--repo-gpgcheck", "off")
    shutil.rmtree(upstream)
    build_repo(upstream, ["app", "base"], compression="none", sign_with=VENDOR)
    if after_a_good_one:
        site.do("sync")
    relabel(upstream, *AS_9)

    outcome = site.call("sync", "--json")

    assert (outcome.code, incomplete(outcome)) == (7, {"Packages/a/app-1.0-1.noarch.rpm": RENAMED})


def test_055_a_package_that_is_listed_twice_is_refused_unless_it_is_both(site: Site, upstream: Path) -> None:
    """The attacker lists what the vendor signed as what it is, and by a path that leads there as something newer."""
    site.do("repo", "set", "p/zoo", "--repo-gpgcheck", "off")
    shutil.rmtree(upstream)
    build_repo(upstream, ["app", "base"], layout=FLAT, compression="none", sign_with=VENDOR)
    (primary,) = (upstream / "repodata").glob("*primary.xml")
    listed = primary.read_bytes()
    app = listed[listed.index(b"<package type") : listed.index(b"</package>") + len(b"</package>")]
    newer = app.replace(*AS_9).replace(b'href="', b'href="./')
    relabel(upstream, app, newer + app)
    relabel(upstream, b'packages="2"', b'packages="3"')

    outcome = site.call("sync", "--json")

    found = incomplete(outcome)
    assert (outcome.code, found["app-1.0-1.noarch.rpm"]) == (7, RENAMED)
    assert list(found) == ["./app-1.0-1.noarch.rpm", "app-1.0-1.noarch.rpm"]


@pytest.mark.parametrize(("arch", "listed"), [("src", "noarch"), ("noarch", "src")], ids=["as a binary", "as a source"])
def test_055_a_source_package_is_not_taken_for_a_binary_one_nor_the_reverse(
    site: Site, upstream: Path, arch: str, listed: str
) -> None:
    """The attacker lists one kind of package, which the vendor signed, as the other."""
    site.do("repo", "set", "p/zoo", "--repo-gpgcheck", "off")
    shutil.rmtree(upstream)
    app = PackageSpec("app").build(VENDOR) if arch == "noarch" else as_source(build_rpm("app"), VENDOR)
    build_repo(upstream, [app, "base"], layout=FLAT, compression="none", sign_with=VENDOR)
    if listed == "src":
        relabel(upstream, b"<arch>noarch</arch>", b"<arch>src</arch>")

    outcome = site.call("sync", "--json")

    said = f"bad: its header says app-1.0-1.{arch}, the metadata say app-1.0-1.{listed}"
    assert (outcome.code, incomplete(outcome)) == (7, {"app-1.0-1.noarch.rpm": said})


@pytest.mark.parametrize("after_a_good_one", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize("named", [True, False], ids=["variant", "nobody names it"])
def test_055_a_package_that_a_repository_within_lists_as_another_is_refused(
    site: Site, upstream: Path, after_a_good_one: bool, named: bool
) -> None:
    """The attacker lists what the vendor signed as something newer, in a repository within the tree."""
    site.do("repo", "set", "p/zoo", "--repo-gpgcheck", "off")
    extra = build_repo(upstream / "Extra", ["app"], layout=FLAT, compression="none", sign_with=VENDOR).path
    if named:
        (upstream / ".treeinfo").write_text(TREEINFO)
    if after_a_good_one:
        site.do("sync")
    relabel(extra, *AS_9)

    outcome = site.call("sync", "--json")

    assert (outcome.code, incomplete(outcome)) == (7, {"Extra/app-1.0-1.noarch.rpm": RENAMED})


@pytest.mark.parametrize("key", [None, THIEF, VENDOR], ids=["unsigned", "by the thief", "by the vendor"])
def test_054_metadata_that_no_treeinfo_names_are_judged_like_the_main_ones(
    site: Site, upstream: Path, key: OpenPGPKey | None
) -> None:
    """The attacker can write to the directory that is synced, and makes a repository of his own of good packages."""
    build_repo(upstream / "x/y", [build_rpm("extra", signer=VENDOR.signer)], layout=FLAT)
    if key is not None:
        sign_repomd(upstream / "x/y", key)

    first, second = site.call("sync", "--json"), site.call("sync", "--json")
    site.do("publish")

    left_out = [] if key is VENDOR else [f"x/y/{REPOMD}"]
    assert [(one.code, list(incomplete(one))) for one in (first, second)] == [(7 if left_out else 0, left_out)] * 2
    assert (site.root / "published/p/zoo/x/y" / REPOMD).exists() == (key is VENDOR)
    assert (site.root / "published/p/zoo/x/y/extra-1.0-1.noarch.rpm").exists()


@pytest.mark.parametrize("selected", [False, True], ids=["whole", "selected"])
def test_054_metadata_that_come_as_an_installers_file_are_judged_too(
    site: Site, upstream: Path, selected: bool
) -> None:
    """The attacker lets a treeinfo name the metadata of his repository as a file of the installer."""
    build_repo(upstream / "x", [build_rpm("extra", signer=VENDOR.signer)], layout=FLAT)
    (upstream / ".treeinfo").write_text(f"[stage2]\nmainimage = x/{REPOMD}\n")
    revise(upstream, b"\n")
    sign_repomd(upstream, VENDOR)
    with serving(upstream) as server:
        site.do("repo", "set", "p/zoo", "--source", server.url, *(("--newest", "1") if selected else ()))
        outcome = site.call("sync", "--json")

    assert (outcome.code, list(incomplete(outcome))) == (7, [f"x/{REPOMD}"])


@pytest.mark.parametrize("policy", ["warn", "off"])
def test_who_does_not_require_signed_metadata_gets_those_within_too(site: Site, upstream: Path, policy: str) -> None:
    build_repo(upstream / "x", [build_rpm("extra", signer=VENDOR.signer)], layout=FLAT)
    site.do("repo", "set", "p/zoo", "--repo-gpgcheck", policy)

    outcome = site.do("sync")

    assert (f"x/{REPOMD}: unsigned: " in outcome.err) == (policy == "warn")


def test_055_metadata_within_that_cannot_be_read_are_left_out_where_packages_are_judged(
    site: Site, upstream: Path
) -> None:
    """The attacker writes repodata within that a client reads and we do not."""
    (upstream / "x/repodata").mkdir(parents=True)
    (upstream / "x" / REPOMD).write_bytes(b"<repomd>")
    sign_repomd(upstream / "x", VENDOR)

    outcome = site.call("sync", "--json")

    assert (outcome.code, list(incomplete(outcome))) == (7, [f"x/{REPOMD}"])
    site.do("repo", "set", "p/zoo", "--gpgcheck", "off")
    assert incomplete(site.do("sync", "--json")) == {}
