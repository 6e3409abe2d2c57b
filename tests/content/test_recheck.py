"""What an import brings is judged by the keys pinned here: which packages, by whom, and which are not judged again."""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import pytest
from msgspec.structs import replace

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError
from issmedia.content.base import Arrived
from issmedia.content.yum.recheck import recheck
from issmedia.model.documents import Repository
from issmedia.model.judgement import Counts, Outcome, Policy, Signer
from issmedia.model.tree import Tree
from tests.makers.documents import NOW, tree_with
from tests.makers.openpgp import OpenPGPKey, openpgp_key
from tests.makers.repodata import Pkg, primary_record, primary_xml, repomd_xml
from tests.makers.rpms import build_rpm

VENDOR, OTHER, THIEF = openpgp_key("vendor"), openpgp_key("other"), openpgp_key("thief")
GOOD, PLAIN = build_rpm("good", signer=VENDOR.signer), build_rpm("plain")
REPOMD = b"<repomd/>\n"
METADATA = {"repodata/repomd.xml": REPOMD, "repodata/repomd.xml.asc": VENDOR.sign_detached(REPOMD)}


class Blobs:
    """Blobs that lie in a directory, and how often each was opened."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.opened: list[Digest] = []

    def tree(self, files: Mapping[str, bytes]) -> Tree:
        """Store files and list them."""
        for data in files.values():
            (self.directory / digest_of(data)).write_bytes(data)
        return tree_with(files)

    def open(self, digest: Digest) -> BinaryIO:
        """Open one."""
        self.opened.append(digest)
        return (self.directory / digest).open("rb")

    def judge(
        self,
        tree: Tree,
        *keys: bytes,
        gpgcheck: Policy | None = None,
        repo_gpgcheck: Policy | None = "off",
        signed: bool = False,
        before: tuple[Tree, Outcome] | None = None,
    ) -> Outcome | None:
        """Judge a tree as a site does that pinned these files of keys."""
        repository = Repository("p", "zoo", "Zoo", gpgcheck=gpgcheck, repo_gpgcheck=repo_gpgcheck)
        old, judged = before or (None, None)
        return recheck(Arrived(repository, tree, keys, signed, old, judged), self.open, NOW)


def repository(packages: Mapping[str, bytes], directory: str = "", *, version: str = "1.0") -> dict[str, bytes]:
    """Give a repository of packages that are called `good`, and its metadata."""
    listed = [Pkg(href, data, name="good") for href, data in packages.items()]
    primary = primary_xml(listed).replace(b'ver="1"', f'ver="{version}"'.encode())
    repomd = repomd_xml([primary_record(primary)])
    files = {**packages, "repodata/primary.xml": primary, "repodata/repomd.xml": repomd}
    return {f"{directory}{path}": data for path, data in files.items()}


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """A store for a test."""
    return Blobs(tmp_path)


def found(outcome: Outcome | None) -> tuple[Counts, list[str]]:
    """Give the counts, and the paths of what is not good."""
    assert outcome is not None
    return outcome.counts, [one.path for one in outcome.exceptions]


@pytest.mark.parametrize("policy", [None, "off"])
def test_nothing_is_judged_where_nobody_asks_for_it(blobs: Blobs, policy: Policy | None) -> None:
    keys = (VENDOR.public,) if policy else ()

    assert blobs.judge(blobs.tree({"a.rpm": PLAIN}), *keys, gpgcheck=policy) is None
    assert blobs.opened == []


def test_a_pinned_key_asks_for_packages_that_it_signed(blobs: Blobs) -> None:
    outcome = blobs.judge(blobs.tree({"a.rpm": GOOD, "b.rpm": PLAIN, "same.rpm": GOOD}), VENDOR.public)

    assert found(outcome) == (Counts(good=2, unsigned=1), ["b.rpm"])
    assert outcome and (outcome.policy, outcome.signers) == ("require", (Signer(VENDOR.fingerprint, 2),))


def test_who_asks_without_a_key_gets_no_good_verdict(blobs: Blobs) -> None:
    assert found(blobs.judge(blobs.tree({"a.rpm": GOOD}), gpgcheck="warn")) == (Counts(cannot_judge=1), ["a.rpm"])


def test_a_package_is_what_is_named_so_or_begins_as_one(blobs: Blobs) -> None:
    tree = blobs.tree({"a.rpm": b"no package", "b.img": PLAIN, "c.drpm": PLAIN, "d.txt": b"text", "e": b""})

    assert found(blobs.judge(tree, VENDOR.public))[1] == ["a.rpm", "b.img", "c.drpm"]


def test_a_delta_rpm_is_no_package_unless_it_is_named_as_one(blobs: Blobs) -> None:
    delta = PLAIN.replace(b"\0cpio\0", b"\0drpm\0")

    tree = blobs.tree({"drpms/a.drpm": delta, "a.rpm": delta})

    assert delta != PLAIN
    assert found(blobs.judge(tree, VENDOR.public)) == (Counts(cannot_judge=1), ["a.rpm"])


@pytest.mark.parametrize(
    ("files", "keys", "verdict"),
    [
        (METADATA, (VENDOR.public,), "good"),
        (METADATA, (THIEF.public, VENDOR.public), "good"),
        (METADATA, (THIEF.public,), "cannot judge"),
        ({**METADATA, "repodata/repomd.xml": b"<other/>"}, (VENDOR.public,), "bad"),
        ({"repodata/repomd.xml": REPOMD}, (VENDOR.public,), "unsigned"),
        ({"repodata/repomd.xml.asc": METADATA["repodata/repomd.xml.asc"]}, (VENDOR.public,), "unsigned"),
        ({**METADATA, "repodata/repomd.xml.asc": b"x" * 70_000}, (VENDOR.public,), "cannot judge"),
    ],
)
def test_metadata_that_must_be_signed_are_judged(
    blobs: Blobs, files: Mapping[str, bytes], keys: tuple[bytes, ...], verdict: str
) -> None:
    outcome = blobs.judge(blobs.tree(files), *keys, gpgcheck="off", repo_gpgcheck=None, signed=True)

    assert outcome and outcome.metadata
    assert (outcome.metadata.verdict, outcome.metadata_policy, outcome.counts) == (verdict, "require", Counts())


def test_metadata_that_nobody_signs_need_no_signature(blobs: Blobs) -> None:
    outcome = blobs.judge(blobs.tree(repository({"a.rpm": GOOD})), VENDOR.public, repo_gpgcheck=None)

    assert outcome and (outcome.metadata, outcome.is_clean) == (None, True)


def test_what_the_same_key_was_found_to_have_signed_is_counted_and_not_read(blobs: Blobs) -> None:
    new = build_rpm("new", signer=VENDOR.signer)
    old, tree = blobs.tree({"a.rpm": GOOD, "gone.rpm": PLAIN}), blobs.tree({"a.rpm": GOOD, "new.rpm": new})
    judged = Outcome("require", "off", (VENDOR.fingerprint,), Counts(2), (Signer(VENDOR.fingerprint, 2),))

    outcome = blobs.judge(tree, VENDOR.public, before=(old, judged))

    assert found(outcome) == (Counts(good=2), [])
    assert blobs.opened == [digest_of(new)]


@pytest.mark.parametrize(
    "change",
    [
        {"policy": "off"},
        {"keys": (VENDOR.fingerprint, OTHER.fingerprint)},
        {"keys": (OTHER.fingerprint,)},
        {"counts": Counts(good=2, bad=1)},
        {"signers": (Signer(VENDOR.fingerprint, 1), Signer(OTHER.fingerprint, 1))},
        {"signers": ()},
    ],
    ids=lambda change: str(*change),
)
def test_what_was_judged_otherwise_is_judged_again(blobs: Blobs, change: dict[str, object]) -> None:
    tree = blobs.tree({"a.rpm": PLAIN})
    clean = Outcome("require", "off", (VENDOR.fingerprint,), Counts(2), (Signer(VENDOR.fingerprint, 2),))

    outcome = blobs.judge(tree, VENDOR.public, before=(tree, replace(clean, **change)))

    assert found(outcome) == (Counts(unsigned=1), ["a.rpm"])


def test_what_a_key_signed_that_was_revoked_since_is_judged_again(blobs: Blobs) -> None:
    revoked = openpgp_key("revoked", revoked=True)
    tree = blobs.tree({"a.rpm": build_rpm("a", signer=openpgp_key("revoked").signer)})
    judged = Outcome("require", "off", (revoked.fingerprint,), Counts(1), (Signer(revoked.fingerprint, 1),))

    outcome = blobs.judge(tree, revoked.public, before=(tree, judged))

    assert found(outcome) == (Counts(bad=1), ["a.rpm"])


def test_a_package_is_what_all_metadata_call_it(blobs: Blobs) -> None:
    files = {**repository({"a.rpm": GOOD}), **repository({"b.rpm": GOOD}, "x/", version="9.9"), "copy.rpm": GOOD}

    outcome = blobs.judge(blobs.tree(files), VENDOR.public)

    assert found(outcome) == (Counts(good=2, bad=1), ["x/b.rpm"])
    assert outcome and "says good-1.0-1.noarch, the metadata say good-9.9-1.noarch" in outcome.exceptions[0].reason


def test_what_was_good_is_read_again_where_metadata_call_it_otherwise(blobs: Blobs) -> None:
    judged = Outcome("require", "off", (VENDOR.fingerprint,), Counts(1), (Signer(VENDOR.fingerprint, 1),))
    before = blobs.tree(repository({"a.rpm": GOOD})), judged
    same, other = (blobs.tree(repository({"a.rpm": GOOD}, version=version)) for version in ("1.0", "9.9"))
    outcomes = [found(blobs.judge(tree, VENDOR.public, before=before)) for tree in (same, other)]

    assert outcomes == [(Counts(good=1), []), (Counts(bad=1), ["a.rpm"])]


@pytest.mark.parametrize("path", ["repodata/repomd.xml", "x/repodata/repomd.xml"])
def test_metadata_that_cannot_be_read_are_an_exception_once(blobs: Blobs, path: str) -> None:
    files = {**repository({path: REPOMD}), "a.rpm": GOOD, path: REPOMD}

    assert found(blobs.judge(blobs.tree(files), VENDOR.public)) == (Counts(good=1, cannot_judge=1), [path])


@pytest.mark.parametrize(("signature", "verdict"), [(VENDOR, "good"), (None, "cannot judge"), (THIEF, "cannot judge")])
def test_metadata_within_the_tree_must_be_signed_as_its_own(
    blobs: Blobs, signature: OpenPGPKey | None, verdict: str
) -> None:
    within = {"x/repodata/repomd.xml": REPOMD}
    signatures = {"x/repodata/repomd.xml.asc": signature.sign_detached(REPOMD)} if signature else {}

    outcome = blobs.judge(blobs.tree({**METADATA, **within, **signatures}), VENDOR.public, repo_gpgcheck="require")

    assert outcome and outcome.metadata
    assert (outcome.metadata.verdict, outcome.saw_signature) == (verdict, True)
    assert ("x/repodata/repomd.xml: " in outcome.metadata.reason) == (verdict != "good")


def test_a_key_that_cannot_be_read_is_said_not_passed_over(blobs: Blobs) -> None:
    with pytest.raises(FormatError) as caught:
        blobs.judge(blobs.tree({"a.rpm": GOOD}), VENDOR.public, b"no key")

    assert caught.value.where == "p/zoo: a pinned key"
    assert "issmedia repo set p/zoo" in (caught.value.hint or "")
