"""What packages of repositories need of each other: to be kept with a selection, or in vain.

primary.xml lists the files that are required often; where another one is, filelists are looked through for it.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from html import escape

from issmedia.content.base import Choice, OpenBlob, Unmet
from issmedia.content.yum.documents import Documents
from issmedia.content.yum.parsed import Related
from issmedia.content.yum.reader import Parser
from issmedia.content.yum.solving import Place, Pool
from issmedia.model.names import shown
from issmedia.model.package import Nevra
from issmedia.model.tree import Tree


class Needs:
    """The packages `allowed` of a repository, by their hrefs, and those of the trees beside it."""

    def __init__(self, documents: Documents, allowed: Collection[str], choice: Choice) -> None:
        beside = [Documents(tree, documents.open_blob, documents.parser) for tree in choice.beside]
        self._pool = Pool()
        _fill(self._pool, [(documents, allowed), *((one, one.entries) for one in beside)])
        needing = {tree.digest for tree in choice.needing}
        self._roots = {
            (number, path)
            for number, tree in enumerate(choice.beside, 1)
            if tree.digest in needing
            for path in beside[number - 1].entries
        }

    def of(self, hrefs: Iterable[str]) -> set[str]:
        """Give these packages of the repository, and what they and the trees that need something need of it."""
        return {href for _, href in self._pool.closed({*self._roots, *((0, href) for href in hrefs)})}


def unmet(trees: Sequence[Tree], open_blob: OpenBlob, *, parser: Parser) -> list[list[Unmet]]:
    """Give for each tree the packages that would not install, though all of the trees can be used; in their order."""
    pool, names = Pool(), dict[Place, str]()
    sources = [Documents(tree, open_blob, parser) for tree in trees]
    _fill(pool, [(one, one.entries) for one in sources], names)
    found: list[list[Unmet]] = [[] for _ in trees]
    for place, lacking in pool.unmet().items():
        found[place[0]].append(Unmet(names[place], tuple(map(shown, lacking))))
    return found


def _fill(
    pool: Pool, sources: Sequence[tuple[Documents, Collection[str]]], names: dict[Place, str] | None = None
) -> None:
    """Add the packages of repositories with these hrefs to the pool, and the files that are required of them."""
    by_checksum: dict[tuple[int, str], Place] = {}

    def noted(number: int, found: Iterable[Related]) -> Iterator[Related]:
        for one in found:
            if one.href in sources[number][1]:
                by_checksum[number, one.checksum] = number, one.href
                if names is not None:
                    names[number, one.href] = shown(str(Nevra(one.name, one.epoch, one.version, one.release, one.arch)))
                yield one

    for number, (documents, _) in enumerate(sources):
        with (
            documents.opened(documents.primary) as (file, unpacked, where),
            closing(documents.parser.related(file, unpacked, where=where)) as found,
        ):
            pool.add(number, noted(number, found), where=where)
    lacking = pool.files_lacking()
    for number, (documents, _) in enumerate(sources if lacking else ()):
        for checksum, path in _listing(documents, lacking):
            if place := by_checksum.get((number, checksum)):
                pool.add_file(place, path)


def _listing(documents: Documents, paths: Collection[str]) -> Iterator[tuple[str, str]]:
    """Look through filelists for who has one of these paths; give the package's checksum, and the path."""
    record = documents.record("filelists")
    if record is None:
        return
    texts = {path: f">{escape(path, quote=False)}</file>".encode() for path in paths}
    with (
        documents.opened(record) as (file, unpacked, where),
        closing(documents.parser.slices("filelists", file, unpacked, where=where)) as pieces,
    ):
        for piece, found in pieces:
            yield from ((piece.key, path) for path, text in texts.items() if text in found)
