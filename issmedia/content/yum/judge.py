"""The parent's side of judging signatures: hands files to children, and believes no more than verdicts.

Packages go in batches. A child answers for each in turn, so when one dies (killed for its memory or time, or by what it
read), the package it died over cannot be judged, and the rest of its batch goes to the next child. A child that a
package took over could lie of the others in its batch, and of nothing else: it can write no file and reach no network.
"""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from queue import SimpleQueue
from types import TracebackType
from typing import BinaryIO, TypeVar

import msgspec

from issmedia.base import helper
from issmedia.base.errors import FormatError, IssmediaError
from issmedia.base.sockets import Socket, pair, send_file
from issmedia.base.workers import Workers
from issmedia.content.yum.children import Children
from issmedia.content.yum.judged import DetachedJob, JudgingJob, KeysJob, PackagesJob
from issmedia.content.yum.nursery import Birth, Nursery
from issmedia.content.yum.parsed import MARK, REFUSED
from issmedia.model.judgement import Judged
from issmedia.model.names import shown
from issmedia.model.openpgp import SIGNATURE_BLOCK, exact_armor
from issmedia.model.package import Nevra
from issmedia.model.pinning import MAX_KEYS, VendorKey, key_packets

MAX_SIGNATURE_FILE = 64 << 10
"""Bytes of a file with a detached signature."""

_BATCH_PACKAGES, _BATCH_BYTES = 128, 1 << 30
JUDGE = helper.command("issmedia.content.yum.judging")

_AHEAD = 8
"""Packages that a child has been given and has not answered for."""

_LINE = 1 << 20
_BYTES_PER_S = 10_000_000
"""What a child must manage at least, on top of its `timeout_s`."""

T = TypeVar("T", bound=msgspec.Struct)


class PackageFile(msgspec.Struct, frozen=True):
    """A package to judge: its path within the repository, its size in bytes, how to open it.

    `listed` is what metadata call it: nothing, or more than one name where they differ.
    """

    path: str
    size: int
    open: Callable[[], BinaryIO]
    listed: tuple[Nevra, ...] = ()


class Judge:
    """A nursery for judging children, for a `with` block; one job at a time."""

    def __init__(self, command: tuple[str, ...] = JUDGE, *, timeout_s: float = 300.0) -> None:
        self.timeout_s = timeout_s
        self._command = command
        self._children: Children | None = None

    def __enter__(self) -> "Judge":
        children = Children(self._command, "the judge of signatures", keep=True)
        children.start()
        self._children = children
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._children is not None:
            self._children.end()
        self._children = None

    def read_keys(self, data: bytes, *, where: str) -> tuple[VendorKey, ...]:
        """Read a file of public keys, armored or binary; `FormatError` where it is none or nobody should trust it."""
        try:
            job = KeysJob(key_packets(data))
        except FormatError as cause:
            raise FormatError(cause.message, where=where, hint=cause.hint) from cause
        found = tuple(self._ask(job, b"", VendorKey, where))
        if [one.data for one in found] != list(job.keys):
            raise FormatError("the judge of signatures said what cannot be", where=where)
        return found

    def judge_detached(self, data: bytes, armor: bytes, keys: Sequence[VendorKey], *, now: int) -> Judged:
        """Judge bytes by a file with an armored detached signature over exactly these: repomd.xml and its `.asc`."""
        try:
            signature = exact_armor(armor, SIGNATURE_BLOCK, limit=MAX_SIGNATURE_FILE)
            job = DetachedJob(tuple(keys), signature, now)
            found = list(self._ask(job, data, Judged, "signature"))
        except FormatError as error:
            return Judged("cannot judge", reason=error.message[:300])
        return _checked(found[0] if len(found) == 1 else None, keys)

    def judge_batch(self, batch: Sequence[PackageFile], keys: Sequence[VendorKey], *, now: int) -> list[Judged]:
        """Judge some packages; a verdict each, in their order."""
        found: list[Judged] = []
        while len(found) < len(batch):
            rest = batch[len(found) :]
            job = PackagesJob(tuple(keys), now, tuple(package.listed for package in rest))
            answers, reason = self._judge_some(job, rest)
            found += [_checked(one, keys) for one in answers]
            if len(found) < len(batch):
                found.append(Judged("cannot judge", reason=reason))
        return found

    def _judge_some(self, job: PackagesJob, batch: Sequence[PackageFile]) -> tuple[list[Judged], str]:
        """Have one child judge them; give its answers, fewer where it died over the next, and how that ended."""
        seconds = self.timeout_s + sum(package.size for package in batch) / _BYTES_PER_S
        ours, theirs = _socket_pair()
        with ours, theirs, self._child(job, theirs, seconds) as (nursery, child):
            theirs.close()
            answers = _answers(ours, child.said, batch)
            ours.close()
            child.said.close()
            return answers, _failure(nursery.outcome(), b"")

    def _ask(self, job: JudgingJob, document: bytes, kind: type[T], where: str) -> Iterator[T]:
        """Have a child answer about one document; `FormatError` where it refuses, dies, or says too much."""
        decoder = msgspec.json.Decoder(kind, strict=True)
        with (
            _memory_file(document) as file,
            self._child(job, file, self.timeout_s) as (nursery, child),
        ):
            try:
                found = [decoder.decode(line) for line in _lines(child.said)]
            except (msgspec.MsgspecError, UnicodeError, RecursionError) as cause:
                raise FormatError("the judge of signatures said what cannot be", where=where) from cause
            reason, code = child.refusal.read(4096), nursery.outcome()
        if code != 0:
            raise FormatError(_failure(code, reason), where=where)
        yield from found

    def _child(
        self, job: JudgingJob, document: BinaryIO, seconds: float
    ) -> AbstractContextManager[tuple[Nursery, Birth]]:
        if self._children is None:
            raise IssmediaError("the judge of signatures was sent home")
        return self._children.child(msgspec.json.encode(job), document, seconds)


def judge_packages(
    packages: Sequence[PackageFile], keys: Sequence[VendorKey], *, now: int, jobs: int = 2
) -> Generator[tuple[str, Judged], None, None]:
    """Judge packages in `jobs` children at once; (path, verdict) in the order given. `now` is seconds since 1970."""
    batches = list(_batches(packages))
    workers = Workers(min(jobs, len(batches)), name="judge")
    free: SimpleQueue[Judge] = SimpleQueue()
    with ExitStack() as stack:
        for _ in range(min(jobs, len(batches))):
            free.put(stack.enter_context(Judge()))
        stack.callback(workers.give_up, within_s=10)
        futures = [workers.submit(_judged_by_one, free, batch, tuple(keys), now) for batch in batches]
        for batch, future in zip(batches, futures, strict=True):
            yield from zip((package.path for package in batch), future.result(), strict=True)


def _judged_by_one(
    free: "SimpleQueue[Judge]", batch: Sequence[PackageFile], keys: tuple[VendorKey, ...], now: int
) -> list[Judged]:
    judge = free.get()
    try:
        return judge.judge_batch(batch, keys, now=now)
    finally:
        free.put(judge)


def _batches(packages: Sequence[PackageFile]) -> Iterator[list[PackageFile]]:
    batch: list[PackageFile] = []
    size = 0
    for package in packages:
        if batch and (len(batch) == _BATCH_PACKAGES or size + package.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(package)
        size += package.size
    if batch:
        yield batch


def _socket_pair() -> tuple[Socket, BinaryIO]:
    """Make two ends of a line that carries descriptors: ours, and the child's as a document."""
    ours, theirs = pair()
    return ours, os.fdopen(theirs.detach(), "rb", buffering=0)


def _answers(line: Socket, said: BinaryIO, batch: Sequence[PackageFile]) -> list[Judged]:
    """Send the descriptors, some ahead, and hear the verdicts; fewer where the child says no more, or nonsense."""
    decoder = msgspec.json.Decoder(Judged, strict=True)
    found: list[Judged] = []
    for number in range(len(batch)):
        for package in batch[number + _AHEAD - 1 : number + _AHEAD] if number else batch[:_AHEAD]:
            _send(line, package)
        try:
            found.append(decoder.decode(said.readline(_LINE)))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            break
    return found


def _send(line: Socket, package: PackageFile) -> None:
    with package.open() as file, suppress(OSError):  # a child that is dead says no more, and so we learn of it
        send_file(line, file.fileno())


def _checked(judged: Judged | None, keys: Sequence[VendorKey]) -> Judged:
    """Believe a verdict only if it can be: what is good is signed by a pinned key, and nothing else names one."""
    pinned = judged is not None and judged.key in [key.fingerprint for key in keys]
    if judged is None or pinned != (judged.verdict == "good") or (judged.key is not None and not pinned):
        return Judged("cannot judge", reason="the judge of signatures said what cannot be")
    return Judged(judged.verdict, judged.key, shown(judged.reason))


@contextmanager
def _memory_file(data: bytes) -> Iterator[BinaryIO]:
    """Give bytes a descriptor, for a child to read."""
    with os.fdopen(os.memfd_create("document", os.MFD_CLOEXEC), "w+b") as file:
        file.write(data)
        file.seek(0)
        yield file


def _lines(said: BinaryIO) -> Iterator[bytes]:
    for _ in range(MAX_KEYS):
        if line := said.readline(_LINE):
            yield line


def _failure(code: int, reason: bytes) -> str:
    if code == REFUSED and MARK in reason:
        return shown(reason.rpartition(MARK)[2].decode("utf-8", "replace"))
    if code < 0:
        return f"the judge of signatures was stopped (signal {-code}): it takes too much time or memory"
    return f"the judge of signatures failed (exit code {code})"
