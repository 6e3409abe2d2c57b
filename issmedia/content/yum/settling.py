"""The solving child: who needs whom, of packages whose relations come on descriptor 0, and so do the questions.

Requirements are an upstream's, and a few hundred bytes of them can take libsolv more time and memory than there is:
`python -m issmedia.content.yum.settling` forks children that can write to no file and have a limit of both. Answers go
to descriptor 1 (`content.yum.solved`), a refusal to descriptor 2, with exit code 65.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import msgspec

from issmedia.base.errors import FormatError
from issmedia.content.yum.confined import limit_resources, refusing
from issmedia.content.yum.parsed import BUFFER, READY
from issmedia.content.yum.serving import serve
from issmedia.content.yum.solved import (
    Answer,
    AskFiles,
    AskNeeded,
    AskUnmet,
    At,
    Broken,
    End,
    File,
    Lacking,
    Needed,
    Package,
    Said,
    SolvingJob,
    Told,
)
from issmedia.content.yum.solving import Pool

_MAX_LACKING = 100_000
"""Paths that are looked for in filelists; distributions have some hundreds."""


def settle(request: bytes) -> None:
    """Take what comes and answer what is asked, until it ends; limits this process for good."""
    job = msgspec.json.decode(request, type=SolvingJob)
    with refusing():
        limit_resources(memory=job.memory, seconds=job.seconds, written=0, descriptors=16)
        os.write(1, READY)
        with open(0, "rb", BUFFER, closefd=False) as told, open(1, "wb", BUFFER, closefd=False) as out:
            answer(told, out)


def answer(told: Iterable[bytes], out: BinaryIO) -> None:
    """Answer each question among these lines; `FormatError` for what is too much."""
    encode = msgspec.json.Encoder().encode
    decode = msgspec.json.Decoder(Told).decode

    def say(said: Said) -> None:
        out.write(encode(said) + b"\n")
        if isinstance(said, At | End):  # who dies over a package has named it before
            out.flush()

    pool = Pool(lambda place: say(At(place)))
    for line in told:
        _take(pool, decode(line), say)


def _take(pool: Pool, told: Told, say: Callable[[Said], None]) -> None:
    if isinstance(told, Package):
        pool.add(told.number, (told.related,))
    elif isinstance(told, File):
        pool.add_file(told.place, told.path)
    else:
        for one in _answers(pool, told):
            say(one)
        say(End())


def _answers(pool: Pool, asked: AskFiles | AskNeeded | AskUnmet) -> Iterator[Answer]:
    if isinstance(asked, AskFiles):
        paths = pool.files_lacking()
        if len(paths) > _MAX_LACKING:
            raise FormatError(f"packages require more than {_MAX_LACKING:,} files that nobody is known to have")
        yield from map(Lacking, sorted(paths))
    elif isinstance(asked, AskNeeded):
        yield from map(Needed, sorted(pool.closed(asked.wanted).difference(asked.wanted)))
    else:
        yield from (Broken(place, requires) for place, requires in pool.unmet().items())


if __name__ == "__main__":
    serve(settle)
