"""Attacks by an upstream, or whoever stands before it, on what its signatures prove: rows 54 and 73 of the threats."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from issmedia.base.errors import FormatError
from issmedia.content.yum.judge import Judge, judge_packages
from issmedia.model.judgement import is_refused, outcome_of, policy_in_force
from issmedia.model.openpgp import SIGNATURE_BLOCK, armored
from issmedia.model.pinning import VendorKey, pinning
from tests.makers.openpgp import openpgp_key, with_forged_subkey
from tests.makers.programs import run
from tests.makers.rpms import build_rpm
from tests.makers.signed_rpms import variants
from tests.makers.verdicts import LATER, pinned, written

VENDOR, THIEF = openpgp_key("vendor"), openpgp_key("thief", subkey=True)
REPOMD = b"<repomd><revision>1</revision></repomd>\n"

CURIOUS = """
import resource, signal, sys
from pathlib import Path
from issmedia.content.yum.judging import limit_resources
Path(sys.argv[1]).write_bytes(b"before")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit_resources()
try:
    Path(sys.argv[1]).write_bytes(b"after")
except OSError as error:
    sys.stdout.write(f"write: {error.errno}\\n")
try:
    bytearray(8 << 30)
except MemoryError:
    sys.stdout.write("memory\\n")
sys.stdout.write(str(resource.getrlimit(resource.RLIMIT_CPU)[0] > 0))
"""


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """A judge with its nursery."""
    with Judge() as found:
        yield found


@pytest.fixture(scope="module")
def keys(judge: Judge) -> tuple[VendorKey, ...]:
    """The vendor's key, pinned."""
    return judge.read_keys(VENDOR.public, where="key")


@pytest.mark.parametrize("name", [name for name, one in variants().items() if one.verdict != "good"])
def test_054_a_package_that_is_not_good_is_refused_once_a_key_is_pinned(
    tmp_path: Path, judge: Judge, name: str
) -> None:
    """The package is unsigned, changed, half signed, or signed by somebody or something that proves nothing."""
    variant = variants()[name]
    packages = written(tmp_path, [variant.package])

    judged = list(judge_packages(packages, pinned(judge, variant.keys), now=LATER, jobs=1))

    policy = policy_in_force(None, pinned=True)
    assert [is_refused(one, policy) for _, one in judged] == [True]
    outcome = outcome_of(judged, (), policy=policy, metadata_policy="off")
    assert [one.path for one in outcome.exceptions] == [packages[0].path]
    assert outcome.counts.good == 0


def test_054_a_key_file_with_a_subkey_of_the_attacker_is_not_pinned(judge: Judge) -> None:
    """The attacker serves the vendor's key, fingerprint and all, with a subkey of his own that he bound himself."""
    with pytest.raises(FormatError, match="could be trusted"):
        judge.read_keys(with_forged_subkey("vendor", "thief"), where="https://vendor.example/key")


def test_054_a_key_that_was_pinned_is_not_replaced_by_its_namesake(judge: Judge) -> None:
    """The attacker serves another key with the vendor's name; or the vendor's own, changed to live longer."""
    old = judge.read_keys(openpgp_key("vendor", lives_s=100).public, where="old")
    namesake = judge.read_keys(openpgp_key("Vendor").public, where="new")
    changed = judge.read_keys(VENDOR.public, where="new")

    assert pinning(old, namesake).new == namesake
    assert pinning(old, changed).changed == ((old[0], changed[0]),)
    assert pinning(old, changed).new == ()


@pytest.mark.parametrize(
    "armor",
    [
        VENDOR.sign_detached(REPOMD + b"x"),
        THIEF.sign_detached(REPOMD),
        THIEF.sign_detached(REPOMD) + VENDOR.sign_detached(b"old"),
        VENDOR.sign_detached(REPOMD) + b"\n# and a word of ours\n",
        b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + REPOMD + VENDOR.sign_detached(REPOMD),
        armored(b"\xa3\x01" + bytes(64), SIGNATURE_BLOCK),
        b"",
    ],
    ids=["of other bytes", "by the attacker", "a second block", "more behind it", "inline", "compressed", "empty"],
)
def test_054_metadata_are_good_only_by_an_exact_signature_over_exactly_them(
    judge: Judge, keys: tuple[VendorKey, ...], armor: bytes
) -> None:
    """The attacker replaces repomd.xml, and its signature by what a lenient reader takes."""
    found = judge.judge_detached(REPOMD, armor, keys, now=LATER)

    assert found.verdict in ("bad", "cannot judge")
    assert found.key is None


def test_073_a_package_that_claims_what_nobody_has_costs_nothing(
    tmp_path: Path, judge: Judge, keys: tuple[VendorKey, ...]
) -> None:
    """The package says that its header has four thousand million entries; the next one is honest."""
    honest = build_rpm("app", signer=VENDOR.signer)
    greedy = honest[:104] + b"\xff" * 8 + honest[112:]

    found = judge.judge_batch(written(tmp_path, [greedy, honest]), keys, now=LATER)

    assert [one.verdict for one in found] == ["cannot judge", "good"]


def test_073_the_judging_child_can_write_no_file_and_take_no_more_memory(tmp_path: Path) -> None:
    """The attacker has taken over the child, and looks for what it can do to us."""
    said = run(sys.executable, "-c", CURIOUS, tmp_path / "file")

    assert said == "write: 27\nmemory\nTrue"
    assert (tmp_path / "file").read_bytes() in (b"", b"before")
