"""Judging signatures in a child: verdicts, keys, metadata; and children that die, hang or lie."""

import base64
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from issmedia.base.errors import FormatError, IssmediaError
from issmedia.content.yum.judge import Judge, judge_packages
from issmedia.model.judgement import Judged, Verdict
from issmedia.model.openpgp import SIGNATURE_BLOCK, armored, armored_blocks
from issmedia.model.pinning import VendorKey
from tests.makers.openpgp import CREATED, openpgp_key, with_forged_subkey
from tests.makers.rpms import build_rpm
from tests.makers.signed_rpms import changed_at, segments, variants
from tests.makers.verdicts import LATER, pinned, written

VENDOR, STRANGER = openpgp_key("vendor"), openpgp_key("stranger")
DATA = b"<repomd/>\n"
SIGNATURE = VENDOR.sign_detached(DATA)
BINARY = VENDOR.sign_binary(DATA)

CHILD = """
import os
from issmedia.content.yum.serving import serve
from issmedia.base.sockets import line_of, receive_file

def say(text):
    os.write(1, text.encode() + b"\\n")

def contents():
    line = line_of(os.dup(0))
    while (fd := receive_file(line)) is not None:
        yield os.read(fd, 100).decode()
        os.close(fd)

def judge(request):
    say("ready")
    for content in contents():
        exec(content, globals())

serve(judge)
"""
"""A child that does with each package what this says."""

UNSIGNED = """say('{"verdict":"unsigned"}')"""


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """A judge with its nursery."""
    with Judge() as found:
        yield found


@pytest.fixture(scope="module")
def keys(judge: Judge) -> tuple[VendorKey, ...]:
    """The vendor's key, pinned."""
    return judge.read_keys(VENDOR.public, where="key")


def obeying(*, timeout_s: float = 60) -> Judge:
    """Make a judge whose children do what packages say."""
    return Judge((sys.executable, "-c", CHILD), timeout_s=timeout_s)


def said(directory: Path, *contents: str, timeout_s: float = 60) -> list[tuple[Verdict, str]]:
    """Judge packages with such a judge."""
    with obeying(timeout_s=timeout_s) as judging:
        found = judging.judge_batch(written(directory, (text.encode() for text in contents)), (), now=LATER)
    return [(one.verdict, one.reason) for one in found]


def children() -> set[str]:
    """List the processes that this one started."""
    tasks = Path("/proc/self/task").iterdir()
    return {child for task in tasks for child in (task / "children").read_text().split()}


@pytest.mark.parametrize("name", variants())
def test_a_package_is_judged(tmp_path: Path, judge: Judge, name: str) -> None:
    variant = variants()[name]

    [found] = judge.judge_batch(written(tmp_path, [variant.package]), pinned(judge, variant.keys), now=LATER)

    assert found.verdict == variant.verdict
    assert (found.reason == "") == (found.verdict == "good")


def test_the_signer_of_a_good_package_is_named_by_its_primary_key(tmp_path: Path, judge: Judge) -> None:
    key = openpgp_key("with a subkey", subkey=True)

    [found] = judge.judge_batch(
        written(tmp_path, [build_rpm("app", signer=key.signer)]), pinned(judge, [VENDOR.public, key.public]), now=LATER
    )

    assert found == Judged("good", key.fingerprint)


def test_many_packages_are_judged_in_their_order(tmp_path: Path, keys: tuple[VendorKey, ...]) -> None:
    good, plain = build_rpm("app", signer=VENDOR.signer), build_rpm("app")
    packages = written(tmp_path, (plain if number % 7 == 0 else good for number in range(300)))

    found = list(judge_packages(packages, keys, now=LATER, jobs=2))

    assert [path for path, _ in found] == [package.path for package in packages]
    assert [number for number, (_, one) in enumerate(found) if one.verdict != "good"] == list(range(0, 300, 7))


def test_who_stops_asking_leaves_no_process_behind(tmp_path: Path, keys: tuple[VendorKey, ...]) -> None:
    before = children()
    packages = written(tmp_path, [build_rpm("app", signer=VENDOR.signer)] * 600)

    judged = judge_packages(packages, keys, now=LATER, jobs=2)
    first = next(judged)
    judged.close()

    assert first[1].verdict == "good"
    assert children() == before


def test_no_packages_need_no_child(keys: tuple[VendorKey, ...]) -> None:
    assert list(judge_packages([], keys, now=LATER)) == []


def test_a_package_that_kills_its_child_cannot_be_judged_and_the_others_are(tmp_path: Path) -> None:
    found = said(tmp_path, UNSIGNED, UNSIGNED, "os.kill(os.getpid(), 9)", UNSIGNED, "os._exit(3)", *[UNSIGNED] * 20)

    assert [verdict for verdict, _ in found].count("unsigned") == 23
    assert "stopped (signal 9)" in found[2][1]
    assert "failed (exit code 3)" in found[4][1]


def test_a_child_that_hangs_is_killed(tmp_path: Path) -> None:
    found = said(tmp_path, UNSIGNED, "import signal; signal.pause()", timeout_s=0.5)

    assert found[0] == ("unsigned", "")
    assert found[1][0] == "cannot judge"


@pytest.mark.parametrize(
    "lie",
    [
        "say('junk')",
        "say('{}')",
        """say('{"verdict":"fine"}')""",
        """say('{"verdict":"good","key":"' + "A" * 40 + '"}')""",
        """say('{"verdict":"good"}')""",
        """say('{"verdict":"bad","x":1}')""",
        "say('x' * (1 << 21))",
        "say('[' * (1 << 19))",
        "os.write(1, b'\\xff\\xfe\\n')",
    ],
)
def test_a_lie_is_no_verdict(tmp_path: Path, lie: str) -> None:
    found = said(tmp_path, lie, UNSIGNED)

    assert [verdict for verdict, _ in found] == ["cannot judge", "unsigned"]


def test_what_a_child_says_is_safe_to_show(tmp_path: Path) -> None:
    found = said(tmp_path, """say('{"verdict":"bad","reason":"\\\\u001b[31m"}')""")

    assert found == [("bad", "\\x1b[31m")]


def test_a_judge_that_does_not_start_is_no_fault_of_a_package(tmp_path: Path) -> None:
    packages = written(tmp_path, [b""])

    judging = Judge((sys.executable, "-c", "raise SystemExit('no such thing')"))

    with judging, pytest.raises(IssmediaError, match="did not start: no such thing"):
        judging.judge_batch(packages, (), now=LATER)


def test_a_key_is_read(judge: Judge) -> None:
    [found] = judge.read_keys(openpgp_key("mortal", lives_s=86_400).public, where="key")

    assert (found.fingerprint, found.user_ids) == (openpgp_key("mortal").fingerprint, ("mortal <mortal@example.com>",))
    assert (found.created, found.expires, found.revoked) == (CREATED, CREATED + 86_400, False)
    assert found.armor == openpgp_key("mortal", lives_s=86_400).public


def test_all_keys_of_a_file_are_read(judge: Judge) -> None:
    found = judge.read_keys(b"Our keys\n" + VENDOR.public + STRANGER.public, where="key")

    assert [one.fingerprint for one in found] == [VENDOR.fingerprint, STRANGER.fingerprint]


def test_a_revoked_key_says_so(judge: Judge) -> None:
    [found] = judge.read_keys(openpgp_key("gone", revoked=True).public, where="key")

    assert found.revoked


@pytest.mark.parametrize(
    "data",
    [
        VENDOR.secret,
        openpgp_key("weak", weak=True).public,
        with_forged_subkey("vendor", "thief"),
        VENDOR.public[:-200] + VENDOR.public[-120:],
        b"\x99\x00\x00",
        b"\xc6\x05\x04abcd",
        b"<html/>",
    ],
    ids=["secret", "SHA-1", "forged subkey", "damaged", "empty packet", "short packet", "page"],
)
def test_a_key_that_nobody_should_trust_is_refused(judge: Judge, data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        judge.read_keys(data, where="https://example.com/key")

    assert caught.value.where == "https://example.com/key"


@pytest.mark.parametrize(
    ("armor", "verdict"),
    [
        (SIGNATURE, "good"),
        (SIGNATURE.replace(b"\n", b"\r\n"), "good"),
        (armored(BINARY + BINARY, SIGNATURE_BLOCK), "good"),
        (armored(BINARY + STRANGER.sign_binary(DATA), SIGNATURE_BLOCK), "good"),
        (armored(BINARY + VENDOR.sign_binary(b"other"), SIGNATURE_BLOCK), "bad"),
        (VENDOR.sign_detached(b"other"), "bad"),
        (STRANGER.sign_detached(DATA), "cannot judge"),
        (armored(VENDOR.sign_version_3(DATA), SIGNATURE_BLOCK), "cannot judge"),
        (armored(VENDOR.sign_version_3(DATA, hash_id=2), SIGNATURE_BLOCK), "cannot judge"),
        (SIGNATURE + SIGNATURE, "cannot judge"),
        (b"junk\n" + SIGNATURE, "cannot judge"),
        (BINARY, "cannot judge"),
        (b"", "cannot judge"),
        (armored(BINARY * 17, SIGNATURE_BLOCK), "cannot judge"),
        (armored(BINARY[:-3], SIGNATURE_BLOCK), "cannot judge"),
        (armored(b"\xc2\x03\x04\x00\x16", SIGNATURE_BLOCK), "cannot judge"),
        (armored(b"\xc8\x02\x01x", SIGNATURE_BLOCK), "cannot judge"),
        (b"-----BEGIN PGP SIGNATURE-----\n\n" + base64.b64encode(bytes(1 << 17)), "cannot judge"),
    ],
)
def test_metadata_are_judged(judge: Judge, keys: tuple[VendorKey, ...], armor: bytes, verdict: Verdict) -> None:
    found = judge.judge_detached(DATA, armor, keys, now=LATER)

    assert found.verdict == verdict
    assert found.key == (VENDOR.fingerprint if verdict == "good" else None)


def test_metadata_signed_by_a_key_that_had_expired_are_bad(judge: Judge) -> None:
    short = pinned(judge, [openpgp_key("short", lives_s=0x100).public])
    [(_, packets)] = armored_blocks(openpgp_key("short").sign_detached(DATA))

    before, revoked = (
        judge.judge_detached(DATA, armored(packets, SIGNATURE_BLOCK), one, now=LATER)
        for one in (short, pinned(judge, [openpgp_key("short", revoked=True).public]))
    )

    assert (before.verdict, revoked.verdict, revoked.reason) == ("good", "bad", "its key is revoked")


def test_metadata_of_any_size_are_bounded(judge: Judge, keys: tuple[VendorKey, ...]) -> None:
    found = judge.judge_detached(bytes((16 << 20) + 1), SIGNATURE, keys, now=LATER)

    assert (found.verdict, found.reason) == ("cannot judge", "is longer than 16,777,216 bytes")


def test_no_byte_of_header_and_payload_can_be_changed(
    tmp_path: Path, judge: Judge, keys: tuple[VendorKey, ...]
) -> None:
    signed = build_rpm("app", signer=VENDOR.signer)
    start, _ = segments(signed)
    packages = written(tmp_path, (changed_at(signed, at) for at in range(start, len(signed))))

    found = judge.judge_batch(packages, keys, now=LATER)

    assert {one.verdict for one in found} <= {"bad", "cannot judge"}
