"""Encoding: data streams → parity volumes and their index. Every blob is read once, and checked on the way.

One thread reads stripe after stripe, its blocks from the streams at once; others compute parity and digests; parity is
written in order. Memory holds a few stripes, whatever the streams' length.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import msgspec

from issmedia.base import files
from issmedia.base.digest import Digest, digest_of
from issmedia.base.events import Advanced, Finished, Report, Started
from issmedia.bundle.listing import pack
from issmedia.bundle.stripes import Code, depth, in_order
from issmedia.depot.store import damaged
from issmedia.model.recovery import (
    Column,
    IndexFile,
    Recovery,
    RecoveryIndex,
    Shape,
    Stream,
    parity_files,
    render_index,
    require_index,
    require_scheme,
)
from issmedia.model.tree import Entry

OpenBlob = Callable[[Digest], BinaryIO]
"""Opens a blob as a file of the system, as `Store.open` does; a part of one as that file, at the part's first byte."""


class ParityFile(msgspec.Struct, frozen=True):
    """A file of a parity volume; it lies at `file` until the volume is written."""

    path: str
    sha256: Digest
    size: int
    file: Path


class Encoded(msgspec.Struct, frozen=True):
    """What the manifest says of parity, the packed index, and of each parity volume the files, in their order."""

    recovery: Recovery
    index: bytes
    volumes: tuple[tuple[ParityFile, ...], ...]


def encode(
    streams: Sequence[Stream],
    open_blob: OpenBlob,
    *,
    m: int,
    block: int,
    directory: Path,
    workers: int,
    report: Report,
) -> Encoded:
    """Compute m parity volumes for the data volumes 1 to k; their files are made in `directory`.

    `UsageError` before anything is read where they are too many, or their index too long. `DamagedBlobError` names a
    blob that rotted. What a run that failed left in `directory`, its caller removes.
    """
    require_scheme(len(streams), m)
    require_index(streams, m, block)
    assert [stream.number for stream in streams] == list(range(1, len(streams) + 1))
    try:
        files.make_directory(directory)
        return _Encoding(streams, open_blob, m, block).run(directory, workers, report)
    except OSError as cause:
        raise files.system_error(cause, str(cause.filename or directory)) from cause


class _Encoding:
    """One run."""

    def __init__(self, streams: Sequence[Stream], open_blob: OpenBlob, m: int, block: int) -> None:
        self._streams = streams
        self._readers = [_Reader(stream, open_blob) for stream in streams]
        self._code = Code(len(streams), m)
        self._m = m
        self._block = block
        self._shapes = [Shape(stream.files, block) for stream in streams]
        self._stripes = max(shape.blocks for shape in self._shapes)
        self._digests = [bytearray() for _ in range(len(streams) + m)]

    def run(self, directory: Path, workers: int, report: Report) -> Encoded:
        """Read, compute, write."""
        size = sum(shape.size for shape in self._shapes)
        files.require_space(directory, files.space_for([self._stripes * self._block] * self._m))
        report(Started("making parity", size=size))
        with contextlib.ExitStack() as stack, ThreadPoolExecutor(workers) as pool:
            for reader in self._readers:
                stack.callback(reader.close)
            volumes = [_Volume(number, directory) for number in self._numbers()]
            for volume in volumes:
                stack.callback(volume.discard)
            self._write(volumes, pool, depth(workers, self._block * (len(self._readers) + self._m)), report)
        report(Finished("making parity"))
        return self._encoded(volumes)

    def _numbers(self) -> range:
        return range(len(self._streams) + 1, len(self._streams) + self._m + 1)

    def _write(self, volumes: Sequence["_Volume"], pool: Executor, ahead: int, report: Report) -> None:
        sizes = [size for _, size in parity_files(self._stripes, self._block)]
        for blocks, parity in in_order(pool, self._parity, self._read(pool, ahead), ahead=ahead):
            for volume, (data, digest) in zip(volumes, parity, strict=True):
                volume.add(data, sizes)
                self._digests[volume.number - 1] += digest
            report(Advanced(0, blocks.size))
        for reader in self._readers:
            reader.finish()

    def _read(self, pool: Executor, ahead: int) -> Iterator["_Stripe"]:
        """Read stripe after stripe, into buffers that are used again once the stripe was computed.

        The next one is begun before one is handed out, so that the threads have work while it is written.
        """
        zeros = memoryview(bytes(self._block))
        rings = [[memoryview(bytearray(self._block)) for _ in self._readers] for _ in range(ahead + 2)]
        filling = pool.map(_Reader.fill, self._readers, rings[0])
        for number in range(self._stripes):
            buffers, counts = rings[number % len(rings)], list(filling)
            for digests, reader in zip(self._digests, self._readers, strict=False):
                digests += reader.digest
            if number + 1 < self._stripes:
                filling = pool.map(_Reader.fill, self._readers, rings[(number + 1) % len(rings)])
            blocks = [buffer if count else zeros for buffer, count in zip(buffers, counts, strict=True)]
            yield _Stripe(blocks, sum(counts))

    def _parity(self, stripe: "_Stripe") -> list[tuple[bytes, bytes]]:
        return [(data, hashlib.sha256(data).digest()) for data in self._code.parity(stripe.blocks)]

    def _encoded(self, volumes: Sequence["_Volume"]) -> Encoded:
        blocks = [digests.hex() for digests in self._digests]
        data = tuple(
            Column(stream.number, stream.files, digests) for stream, digests in zip(self._streams, blocks, strict=False)
        )
        parity = tuple(Column(volume.number, tuple(volume.entries), blocks[volume.number - 1]) for volume in volumes)
        index = pack(render_index(RecoveryIndex("issmedia-recovery", 1, data, parity)))
        recovery = Recovery(
            scheme="zfec",
            k=len(self._streams),
            m=self._m,
            block=self._block,
            stripes=self._stripes,
            volumes=tuple(self._numbers()),
            index=IndexFile(digest_of(index), len(index)),
        )
        return Encoded(recovery, index, tuple(tuple(volume.files) for volume in volumes))


class _Stripe(msgspec.Struct, frozen=True):
    """The data blocks of a stripe, and the bytes of payload in them."""

    blocks: list[memoryview]
    size: int


class _Reader:
    """Reads one stream block by block; `digest` is that of the block read last."""

    def __init__(self, stream: Stream, open_blob: OpenBlob) -> None:
        self._files = iter(stream.files)
        self._open = open_blob
        self._entry: Entry | None = None
        self._file: BinaryIO | None = None
        self._left = 0
        self._sha256 = hashlib.sha256()
        self.digest = b""

    def fill(self, block: memoryview) -> int:
        """Read the next block, padded with zeros; give its bytes of payload, 0 past the end."""
        filled = 0
        while filled < len(block) and self._advance():
            assert self._file is not None
            part = block[filled : filled + self._left]
            count = os.readv(self._file.fileno(), [part])
            self._sha256.update(part[:count])
            filled += count
            self._left = self._left - count if count else 0
        if 0 < filled < len(block):
            block[filled:] = bytes(len(block) - filled)
        self.digest = hashlib.sha256(block).digest() if filled else b""
        return filled

    def finish(self) -> None:
        """Check the last blobs of the stream."""
        more = self._advance()
        assert not more

    def close(self) -> None:
        """Let go of the blob that is open."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _advance(self) -> bool:
        """Make the next blob with bytes left the open one; False at the end of the stream."""
        while self._left == 0:
            self._check()
            self._entry = next(self._files, None)
            if self._entry is None:
                return False
            self._left, self._sha256 = self._entry.size, hashlib.sha256()
            self._file = self._open(self._entry.sha256)
        return True

    def _check(self) -> None:
        """Compare the digest of a blob that was read whole."""
        self.close()
        if self._entry is not None and (found := Digest(self._sha256.hexdigest())) != self._entry.sha256:
            raise damaged(self._entry.sha256, found)


class _Volume:
    """The files of one parity volume, as they grow."""

    def __init__(self, number: int, directory: Path) -> None:
        self.number = number
        self.files: list[ParityFile] = []
        self._directory = directory
        self._staged: files.Staged | None = None
        self._sha256 = hashlib.sha256()
        self._size = 0

    @property
    def entries(self) -> Iterator[Entry]:
        """Give the files as the index lists them."""
        return (Entry(file.path, file.sha256, file.size) for file in self.files)

    def add(self, block: bytes, sizes: Sequence[int]) -> None:
        """Append a block; a file that has come to its size gets its name."""
        if self._staged is None:
            self._staged = files.Staged(self._directory, size=sizes[len(self.files)])
            self._sha256, self._size = hashlib.sha256(), 0
        self._staged.write(block)
        self._sha256.update(block)
        self._size += len(block)
        if self._size == sizes[len(self.files)]:
            self._finish(self._staged)

    def discard(self) -> None:
        """Remove the file that is not whole, where there is one."""
        if self._staged is not None:
            self._staged.discard()
            self._staged = None

    def _finish(self, staged: files.Staged) -> None:
        name = f"{len(self.files) + 1:04}"
        target = self._directory / f"{self.number}-{name}"
        staged.close(0o644, durable=False)
        files.rename(staged.path, target)
        self.files.append(ParityFile(f"parity/{name}", Digest(self._sha256.hexdigest()), self._size, target))
        self._staged = None
