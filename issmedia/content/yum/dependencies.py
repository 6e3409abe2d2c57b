"""What packages of repositories need of each other: to be kept with a selection, to travel first, or in vain.

primary.xml lists the files that are required often; where another one is, filelists are looked through for it.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from html import escape

import msgspec

from issmedia.content.base import Choice, OpenBlob, Unmet
from issmedia.content.yum.documents import Documents
from issmedia.content.yum.parsed import Related
from issmedia.content.yum.reader import Parser
from issmedia.content.yum.solved import Place
from issmedia.content.yum.solver import Settling, Solver
from issmedia.model.names import shown
from issmedia.model.tree import Tree

_FILE = re.compile(rb">([^<>]*)</file>")
_LEAVE_OUT = "leave that package out: issmedia repo set --exclude"
_NAME_FEWER = "what is named is taken together; name fewer: issmedia check PRODUCT/REPO"


class _Source(msgspec.Struct, frozen=True):
    """A repository's documents, the hrefs of its packages that count, and its `name` in errors, unless callers say."""

    documents: Documents
    hrefs: Collection[str]
    name: str = ""


class Needs:
    """The packages of a repository and of the trees beside it, as a child knows them: `needs_of` makes one."""

    def __init__(self, settling: Settling, roots: Collection[Place]) -> None:
        self._settling = settling
        self._roots = roots

    def of(self, hrefs: Iterable[str]) -> set[str]:
        """Give these packages of the repository, and what they and the trees that need something need of it."""
        wanted = {*self._roots, *((0, href) for href in hrefs)}
        return {href for number, href in self._settling.closed(wanted) if number == 0}


@contextmanager
def needs_of(
    documents: Documents, allowed: Collection[str], choice: Choice, *, solver: Solver | None = None
) -> Iterator[Needs]:
    """Settle what the packages `allowed` of a repository need, by their hrefs, and those of the trees beside it.

    `FormatError`, here and of what is asked, where that takes more than it may.
    """
    beside = [Documents(tree, documents.open_blob, documents.parser) for tree in choice.beside]
    needing = {tree.digest for tree in choice.needing}
    roots = {
        (number, path)
        for number, tree in enumerate(choice.beside, 1)
        if tree.digest in needing
        for path in beside[number - 1].entries
    }
    others = [_Source(one, one.entries, "a repository beside it") for one in beside]
    with (solver or Solver()).settling(hint=_LEAVE_OUT) as settling:
        _fill(settling, dict(enumerate([_Source(documents, allowed), *others])))
        yield Needs(settling, roots & settling.names.keys())


def with_needed(
    trees: Mapping[str, Tree],
    open_blob: OpenBlob,
    wanted: Mapping[str, Collection[str]],
    *,
    parser: Parser,
    solver: Solver | None = None,
) -> dict[str, set[str]]:
    """Give for each tree the hrefs wanted of it, and those of all packages that they need, from any of the trees.

    Names of trees are for errors: `FormatError` where packages cannot be read, or to tell takes more than it may.
    """
    numbers = dict(enumerate(trees, 1))
    documents = {number: Documents(trees[name], open_blob, parser) for number, name in numbers.items()}
    found: dict[str, set[str]] = {name: set() for name in trees}
    with (solver or Solver()).settling(hint="") as settling:
        _fill(settling, {number: _Source(one, one.entries, numbers[number]) for number, one in documents.items()})
        for number, href in settling.closed((at, href) for at, name in numbers.items() for href in wanted[name]):
            found[numbers[number]].add(href)
    return found


def unmet(
    trees: Sequence[Tree],
    open_blob: OpenBlob,
    *,
    parser: Parser,
    names: Sequence[str] = (),
    solver: Solver | None = None,
) -> list[list[Unmet]]:
    """Give for each tree the packages that would not install, though all of the trees can be used; in their order.

    `names` name the trees in errors: `FormatError` where to tell takes more than it may.
    """
    found: list[list[Unmet]] = [[] for _ in trees]
    with (solver or Solver()).settling(hint=_NAME_FEWER) as settling:
        documents = [Documents(tree, open_blob, parser) for tree in trees]
        sources = map(_Source, documents, (one.entries for one in documents), names or [""] * len(trees))
        _fill(settling, dict(enumerate(sources)))
        for place, lacking in settling.unmet().items():
            found[place[0]].append(Unmet(settling.names[place], tuple(map(shown, lacking))))
    return found


def _fill(settling: Settling, sources: Mapping[int, _Source]) -> None:
    """Tell of the packages of repositories, by their numbers, and of the files that are required of them."""
    by_checksum: dict[tuple[int, str], Place] = {}

    def noted(number: int, found: Iterable[Related]) -> Iterator[Related]:
        for one in found:
            if one.href in sources[number].hrefs:
                by_checksum[number, one.checksum] = number, one.href
                yield one

    for number, source in sources.items():
        documents = source.documents
        with (
            documents.opened(documents.primary) as (file, unpacked, where),
            closing(documents.parser.related(file, unpacked, where=where)) as found,
        ):
            settling.add(number, noted(number, found), where=_where(source))
    lacking = settling.files_lacking()
    for number, source in sources.items() if lacking else ():
        listed = ((by_checksum.get((number, checksum)), path) for checksum, path in _listing(source.documents, lacking))
        settling.add_files(((place, path) for place, path in listed if place), where=_where(source))


def _where(source: _Source) -> str:
    """Name a primary.xml, and its repository unless the caller does."""
    href = shown(source.documents.primary.href)
    return f"{source.name}: {href}" if source.name else href


def _listing(documents: Documents, paths: Collection[str]) -> Iterator[tuple[str, str]]:
    """Look through filelists for who has one of these paths; give the package's checksum, and the path."""
    record = documents.record("filelists")
    if record is None:
        return
    texts = {escape(path, quote=False).encode(): path for path in paths}
    with (
        documents.opened(record) as (file, unpacked, where),
        closing(documents.parser.slices("filelists", file, unpacked, where=where)) as pieces,
    ):
        for piece, found in pieces:
            yield from ((piece.key, texts[text]) for text in texts.keys() & _FILE.findall(found))
