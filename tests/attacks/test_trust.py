"""Attacks on trust, through a whole volume: rows 1 to 4, 6, 7, 10, 11, 13 and 14 of the threats."""

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from issmedia.base.errors import UntrustedError
from issmedia.base.events import ignore
from issmedia.depot.keyring import Keyring
from issmedia.depot.keys import FileKey
from issmedia.model.manifest import UnverifiedBundle
from issmedia.model.sshsig import ECDSA_P256, Signature, armored, read_signatures
from issmedia.ops.verify import verify
from tests.makers.attacked import World, assert_imported, assert_refused
from tests.makers.forge import edit_manifest, put_manifest, sign
from tests.makers.openpgp import openpgp_key
from tests.makers.repos import sample_repo
from tests.makers.sites import Site, connected_site, disconnected_site
from tests.makers.sshkeys import NOW, ecdsa_key, ed25519_key

MALLORY = ed25519_key(7, "mallory")
SECOND = ed25519_key(8, "second")


@pytest.mark.parametrize("signatures", [None, b"", b"\n", b"[]", b"null", b"\0" * 400])
def test_001_an_unsigned_bundle_is_refused(lab: Site, volume: Path, signatures: bytes | None) -> None:
    """The signatures are dropped, emptied, or replaced by what other formats take for none."""
    (volume / "manifest.json.sig").unlink()
    if signatures is not None:
        (volume / "manifest.json.sig").write_bytes(signatures)

    assert_refused(lab, volume, 6, "manifest.json.sig")


def test_001_an_unsigned_manifest_is_not_parsed(lab: Site, volume: Path) -> None:
    """An unsigned manifest aims at the parser; were it parsed, the refusal would be of its form."""
    (volume / "manifest.json").write_bytes(b'{"format": ' * 50_000)
    (volume / "manifest.json.sig").unlink()

    assert_refused(lab, volume, 6, "expected 1 valid signature by trusted keys, found none")


def test_001_nothing_of_an_unsigned_volume_is_opened_but_its_head(lab: Site, volume: Path) -> None:
    """The payload is a trap: whatever opens it before the signature was checked would fail otherwise than it does."""
    (volume / "manifest.json.sig").unlink()
    shutil.rmtree(volume / "trees")
    (volume / "SHA256SUMS").unlink()

    assert_refused(lab, volume, 6, "found none")


def test_002_a_bundle_signed_by_a_stranger_is_refused(lab: Site, volume: Path, release: FileKey) -> None:
    """Mallory signs with a key of her own; the refusal names hers, and tells her none that would do."""
    sign(volume, MALLORY)

    outcome = assert_refused(lab, volume, 6, MALLORY.public.fingerprint, "not trusted here")

    assert release.public.fingerprint not in outcome.err


def test_003_keys_that_lie_on_the_medium_are_never_trusted(lab: Site, volume: Path) -> None:
    """Mallory puts her key wherever a program might look for one."""
    sign(volume, MALLORY)
    line = f'mallory namespaces="issmedia-bundle" {MALLORY.public.line}\n'
    for name in ("allowed_signers", "keyring/allowed_signers", "mallory.pub", "root.json", "1.root.json"):
        (volume / name).parent.mkdir(exist_ok=True)
        (volume / name).write_text(line)
    (volume / "RPM-GPG-KEY-mallory.asc").write_bytes(openpgp_key("mallory").public)
    (volume / "issmedia.repo").write_text("[p:zoo]\ngpgcheck=0\ngpgkey=file:///mnt/issmedia/RPM-GPG-KEY-mallory.asc\n")

    outcome = assert_refused(lab, volume, 6, "by another way")

    assert str(volume) not in outcome.err.partition("hint:")[2]


def test_003_keys_that_a_good_bundle_carries_are_not_offered_to_clients(tmp_path: Path) -> None:
    """Upstream's repository brings its key along, and the sender pinned it: neither makes it this site's."""
    vendor = openpgp_key("vendor")
    hq = connected_site(tmp_path / "hq")
    (tmp_path / "vendor.asc").write_bytes(vendor.public)
    upstream = sample_repo(tmp_path / "upstream", key=vendor).path
    hq.do("repo", "add", "p/zoo", upstream, "--gpg-key", tmp_path / "vendor.asc")
    hq.do("sync")
    hq.do("export", "--to", tmp_path / "stick")
    lab = disconnected_site(tmp_path / "lab", hq)
    keyring = (lab.root / "keyring/allowed_signers").read_bytes()

    lab.do("import", tmp_path / "stick")

    client_file = (lab.root / "published/issmedia.repo").read_text()
    assert "gpgkey" not in client_file
    assert client_file.count("gpgcheck=1") == 2
    assert not (lab.root / "published/_keys").exists()
    assert keyring == (lab.root / "keyring/allowed_signers").read_bytes()


@pytest.mark.parametrize("name", ["manifest.json", "manifest.json.sig", "SHA256SUMS"])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.7, 1.0])
def test_004_one_bit_changed_in_what_is_signed_is_refused(lab: Site, volume: Path, name: str, part: float) -> None:
    """The medium flips one bit of the manifest, of its signatures, or of the sums that it names."""
    data = bytearray((volume / name).read_bytes())
    data[round(part * (len(data) - 1))] ^= 4
    (volume / name).write_bytes(data)

    assert_refused(lab, volume, 6)


def test_004_each_byte_of_the_manifest_counts(world: World, lab: Site) -> None:
    """The medium flips one bit, in each byte of the manifest in turn."""
    good = (world.newer / "manifest.json").read_bytes()
    signatures = (world.newer / "manifest.json.sig").read_bytes()
    state, keyring = lab.depot.state(), Keyring(lab.depot.keyring)

    for position in range(len(good)):
        flipped = good[:position] + bytes([good[position] ^ 1 << position % 8]) + good[position + 1 :]
        with pytest.raises(UntrustedError):
            verify(UnverifiedBundle(flipped, signatures, ()), keyring, state, now=NOW, report=ignore)


def test_006_one_key_that_signs_twice_does_not_meet_a_threshold_of_two(
    lab: Site, volume: Path, release: FileKey
) -> None:
    """Two must sign; who has one key signs twice, and the same key is offered to the keyring under another name."""
    lab.do("keys", "trust", "second", SECOND.public.line)
    lab.do("keys", "threshold", "2")
    sign(volume, release, release)

    assert_refused(lab, volume, 6, "expected 2 valid signatures by trusted keys, found 1: ")

    assert lab.call("keys", "trust", "other", release.public.line).code == 2
    sign(volume, release, SECOND)
    assert_imported(lab, volume)


@pytest.mark.parametrize("threshold", ["0", "-1", "true", '"1"', "1.0", "33", "null", "1e0"])
def test_007_a_threshold_that_is_no_plain_positive_number_is_refused(lab: Site, volume: Path, threshold: str) -> None:
    """A policy that was altered would let an unsigned bundle pass."""
    (volume / "manifest.json.sig").unlink()
    (lab.root / "keyring/policy.json").write_text(f'{{"threshold": {threshold}}}')

    assert_refused(lab, volume, 5, "keyring/policy.json")


@pytest.mark.parametrize("number", ["0", "2", "99"])
def test_007_a_threshold_that_cannot_be_is_not_set(lab: Site, number: str) -> None:
    """Somebody asks for no signature at all, or for more than there are keys."""
    before = lab.state()

    outcome = lab.call("keys", "threshold", number)

    assert (outcome.code, lab.state()) == (2, before), outcome.err


def test_010_the_algorithm_is_not_taken_from_the_envelope(lab: Site, volume: Path, release: FileKey) -> None:
    """An ECDSA signature names the trusted Ed25519 key, and then its own algorithm for that key."""
    other = ecdsa_key(9, ECDSA_P256)
    (made,) = read_signatures(other.sign((volume / "manifest.json").read_bytes(), "issmedia-bundle"))
    assert isinstance(made, Signature)

    for forged in (replace(made, key=release.public), replace(made, algorithm="ssh-ed25519"), made):
        (volume / "manifest.json.sig").write_bytes(armored(forged.blob))
        assert_refused(lab, volume, 6, "found none")


@pytest.mark.parametrize("namespace", ["issmedia-receipt", "issmedia-root", "file", ""])
def test_011_a_signature_given_for_something_else_is_refused(
    lab: Site, volume: Path, release: FileKey, namespace: str
) -> None:
    """The trusted key signed these bytes, as a receipt or a root document."""
    sign(volume, release, namespace=namespace)

    assert_refused(lab, volume, 6, "found none")


@pytest.mark.parametrize("kind", ["issmedia-receipt", "issmedia-root", "", None, 1, ["issmedia-bundle"]])
def test_011_a_document_of_another_format_is_refused(lab: Site, volume: Path, release: FileKey, kind: object) -> None:
    """A document that is no bundle comes with a signature for bundles."""
    edit_manifest(volume, lambda document: document.update(format=kind), release)

    assert_refused(lab, volume, 5, "manifest.json")


@pytest.mark.parametrize("version", [0, 2, -1, 2**53, "1", True, None, [1]])
def test_011_a_document_of_another_version_is_refused(
    lab: Site, volume: Path, release: FileKey, version: object
) -> None:
    """A later version, whose fields mean something else, is passed off as this one, or the other way round."""
    edit_manifest(volume, lambda document: document.update(version=version), release)

    assert_refused(lab, volume, 5, "manifest.json")


def test_013_an_invalid_signature_beside_a_valid_one_is_reported_and_does_no_harm(
    lab: Site, volume: Path, release: FileKey
) -> None:
    """Who carries the medium adds junk and a stranger's signature, so that the good one is not seen."""
    good = (volume / "manifest.json.sig").read_bytes()
    junk = b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"
    (volume / "manifest.json.sig").write_bytes(
        junk + MALLORY.sign(b"x", "issmedia-bundle") + release.sign(b"x", "issmedia-bundle") + good
    )

    outcome = assert_imported(lab, volume)

    assert outcome.err.count("a signature does not count") == 2


@pytest.mark.parametrize("flood", [b"-----BEGIN SSH SIGNATURE-----\n", b"A" * 70 + b"\n", b"\n"])
def test_014_a_flood_of_signatures_is_refused(lab: Site, volume: Path, flood: bytes) -> None:
    """The good signature is drowned in megabytes of others."""
    with (volume / "manifest.json.sig").open("ab") as file:
        file.write(flood * (4 << 20) if len(flood) == 1 else flood * 100_000)

    assert_refused(lab, volume, 5, "manifest.json.sig", "at most 65536")


def test_014_33_signatures_are_refused_before_any_is_checked(lab: Site, volume: Path) -> None:
    """The good signature is hidden among so many that checking all of them costs something."""
    put_manifest(volume, (volume / "manifest.json").read_bytes(), *[MALLORY] * 33)

    assert_refused(lab, volume, 6, "manifest.json.sig")
