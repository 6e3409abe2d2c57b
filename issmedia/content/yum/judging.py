"""The judging child: signatures of hostile packages and metadata; `python -m issmedia.content.yum.judging` forks it.

It can write to no file and has a limit of memory and time. Many packages are one child's: their descriptors come over
the socket that is its descriptor 0, one verdict a line goes to descriptor 1, in that order. Where it dies, the parent
knows over which package. A refusal (of a key, say) goes to descriptor 2, with exit code 65.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import msgspec

from issmedia.base.errors import FormatError
from issmedia.base.sockets import line_of, receive_file
from issmedia.content.yum import confined
from issmedia.content.yum.judged import DetachedJob, JudgingJob, KeysJob, PackagesJob
from issmedia.content.yum.openpgp import (
    Facts,
    facts_of,
    may_be_of,
    not_pinned,
    read_key,
    signer_of,
    verify_detached,
)
from issmedia.content.yum.parsed import READY
from issmedia.content.yum.rpmfile import Rpm, proves, read_rpm, require_usable
from issmedia.content.yum.rpmheader import Read
from issmedia.content.yum.serving import serve
from issmedia.model.judgement import DELTA, MAX_REASON, Judged
from issmedia.model.package import Nevra
from issmedia.model.pinning import VendorKey

MAX_DOCUMENT = 16 << 20
"""Bytes of a document with a detached signature: of repomd.xml."""

_MEMORY = 3 << 30
_SECONDS = 1800
_WORST_FIRST = ("bad", "cannot judge", "unsigned", "good")


def judge(request: bytes) -> None:
    """Do one job; limits this process for good."""
    job = msgspec.json.decode(request, type=JudgingJob)
    with confined.refusing():
        limit_resources()
        os.write(1, READY)
        for said in _answers(job):
            os.write(1, msgspec.json.encode(said) + b"\n")


def limit_resources() -> None:
    """Bound memory, time and descriptors, and forbid to write to any file."""
    confined.limit_resources(memory=_MEMORY, seconds=_SECONDS, written=0, descriptors=32)


def judge_rpm(read: Read, keys: Sequence[VendorKey], *, now: int, listed: Sequence[Nevra] = ()) -> Judged:
    """Judge one package: its digests, then the signatures that count, then whether it is all that it is `listed` as."""
    try:
        rpm = read_rpm(read)
        if rpm.is_delta:
            return Judged("cannot judge", reason=DELTA)
        if rpm.digest_fault:
            return Judged("bad", reason=rpm.digest_fault)
        judged = _judge_signatures(rpm, keys, now)
        others = [one for one in listed if one != rpm.nevra]
        return _renamed(rpm.nevra, others[0]) if judged.verdict == "good" and others else judged
    except FormatError as error:
        return Judged("cannot judge", reason=error.message[:MAX_REASON])


def _renamed(nevra: Nevra, listed: Nevra) -> Judged:
    return Judged("bad", reason=f"its header says {str(nevra)[:120]}, the metadata say {str(listed)[:120]}")


def _answers(job: JudgingJob) -> Iterator[msgspec.Struct]:
    if isinstance(job, KeysJob):
        yield from map(_usable_key, job.keys)
    elif isinstance(job, DetachedJob):
        yield _judge_detached(_whole(0), job)
    else:
        yield from _judge_packages(job)


def _usable_key(data: bytes) -> VendorKey:
    key = read_key(data)
    require_usable(key)
    return key


def _judge_packages(job: PackagesJob) -> Iterator[Judged]:
    line = line_of(os.dup(0))
    for listed in job.listed:
        if (fd := receive_file(line)) is None:
            return
        try:
            yield judge_rpm(partial(os.read, fd), job.keys, now=job.now, listed=listed)
        finally:
            os.close(fd)


def _judge_detached(data: bytes, job: DetachedJob) -> Judged:
    """Judge a document: one of its signatures must be good, and none bad."""
    try:
        found = [verify_detached(data, one, job.keys, now=job.now) for one in facts_of(job.signature)]
    except FormatError as error:
        return Judged("cannot judge", reason=error.message[:MAX_REASON])
    return _any_good(found)


def _judge_signatures(rpm: Rpm, keys: Sequence[VendorKey], now: int) -> Judged:
    """Weigh the signatures: all that an old rpm would look at must be good, and together cover header and payload."""
    header = [_judge_header(rpm, data, keys, now) for data in rpm.signatures]
    covered = bool(header) and _worst(header).verdict == "good" and rpm.payload_digest
    whole = [found for data in rpm.whole for found in _judge_whole(rpm, data, keys, now=now, covered=covered)]
    if not header and not rpm.whole and rpm.for_rpm_6:
        return Judged("cannot judge", reason="is signed only in the way that rpm has since its version 6")
    if not header and not rpm.whole:
        return Judged("unsigned", reason="has no signature")
    worst = _worst(header + whole)
    if worst.verdict != "good":
        return worst
    if not whole and not rpm.payload_digest:
        return Judged("unsigned", reason="only its header is signed: no signature covers its payload")
    if not rpm.header_digest or not rpm.some_payload_digest:
        return Judged("cannot judge", reason="lacks a digest of its header or payload, which rpm asks for")
    return worst


def _judge_header(rpm: Rpm, data: bytes, keys: Sequence[VendorKey], now: int) -> Judged:
    facts = _one(data)
    if fault := facts.fault(now=now):
        return Judged("cannot judge", reason=fault)
    found = signer_of(facts, keys)
    if found is None:
        return Judged("cannot judge", reason=not_pinned(facts))
    key, signing = found
    if not proves(rpm, data, key):
        return Judged("bad", reason="the signature of its header is not of these bytes, or not by the key it names")
    if fault := signing.fault(facts.created):
        return Judged("bad", reason=f"is signed, but {fault}")
    return Judged("good", key.fingerprint)


def _judge_whole(rpm: Rpm, data: bytes, keys: Sequence[VendorKey], *, now: int, covered: bool) -> Iterator[Judged]:
    """Judge a signature of header and payload.

    Where others cover both, one too large to check says nothing, and one of version 3 speaks against the package alone.
    """
    facts = _one(data)
    if rpm.payload is None:
        if not covered:
            yield Judged("cannot judge", reason="is signed in one with its payload, and too large to check that")
    elif covered and facts.version == 3:
        yield from _against(rpm.header + rpm.payload, facts, keys, now)
    else:
        yield verify_detached(rpm.header + rpm.payload, facts, keys, now=now)


def _against(data: bytes, facts: Facts, keys: Sequence[VendorKey], now: int) -> Iterator[Judged]:
    """Say what speaks against a signature that cannot be verified here, if anything does."""
    if fault := facts.fault(now=now):
        yield Judged("cannot judge", reason=fault)
    elif signer_of(facts, keys) is None:
        yield Judged("cannot judge", reason=not_pinned(facts))
    elif not may_be_of(data, facts):
        yield Judged("bad", reason="the signature of header and payload is not of these bytes")


def _one(data: bytes) -> Facts:
    found = facts_of(data)
    if len(found) != 1:
        raise FormatError("has several signatures where one belongs")
    return found[0]


def _any_good(found: Sequence[Judged]) -> Judged:
    """Give a good verdict if there is one and none is bad, else the worst."""
    verdicts = {one.verdict: one for one in reversed(found)}
    return verdicts.get("bad") or verdicts.get("good") or _worst(found)


def _worst(found: Iterable[Judged]) -> Judged:
    return min(found, key=lambda one: _WORST_FIRST.index(one.verdict))


def _whole(fd: int) -> bytes:
    data = bytearray()
    while chunk := os.read(fd, 1 << 20):
        data += chunk
        if len(data) > MAX_DOCUMENT:
            raise FormatError(f"is longer than {MAX_DOCUMENT:,} bytes")
    return bytes(data)


if __name__ == "__main__":
    serve(judge)
