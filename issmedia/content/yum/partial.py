"""Repodata for a part of a repository: what lies on one volume, as a working yum repository.

1. repomd.xml and primary are read and judged as `inventory` does; few packages are looked for, not all listed.
2. primary, filelists and other are cut into packages, each of which goes to the shares that have it, byte for byte but
   for its href. One document passes at a time, and of it one package: no more of it is in memory than its packed form.
3. updateinfo is cut into advisories, comps into groups, modules.yaml into documents; each share gets those that speak
   of a package it has, without the packages that it has not, and what builds upon them.
4. Each share gets a repomd.xml. Records of other kinds are left out: their files travel, and return at import.

Packages and advisories that cannot be read are an error; of the rest it is reported, and the rest is left out.
"""

import datetime
import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import msgspec

from issmedia.base.errors import FormatError
from issmedia.base.events import Report, Warned, ignore
from issmedia.content.yum.documents import Documents
from issmedia.content.yum.inventory import Open
from issmedia.content.yum.made import MadeDocument, MadeFile, Packed, plain, with_repomd
from issmedia.content.yum.parsed import Kind, Part, Record, Slice
from issmedia.content.yum.reader import Parser
from issmedia.content.yum.slices import href_of, pkgid_of, with_href
from issmedia.model.names import shown
from issmedia.model.package import Package, nevra_key
from issmedia.model.selection import Packing
from issmedia.model.tree import Tree

Share = Mapping[str, str]
"""What of a repository lies on one volume: path in the tree → href as seen from the repository's directory there."""

_COMMON = "http://linux.duke.edu/metadata/"
_LISTS: dict[Kind, str] = {
    "primary": f'<metadata xmlns="{_COMMON}common" xmlns:rpm="{_COMMON}rpm" packages="{{}}">',
    "filelists": f'<filelists xmlns="{_COMMON}filelists" packages="{{}}">',
    "other": f'<otherdata xmlns="{_COMMON}other" packages="{{}}">',
}
"""Documents that list each package, and how each begins."""


class Form(msgspec.Struct, frozen=True):
    """How repodata are made: packed how; of the packages in `whole` a module stream lacks none, or is left out.

    `moment` (RFC 3339) becomes the revision.
    """

    moment: str
    packing: Packing = "gz"
    whole: Set[str] = frozenset()


_FEW = 16
"""Names that are looked for in advisories before these are parsed."""

_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


def partial_repodata(
    tree: Tree,
    open_blob: Open,
    shares: Sequence[Share],
    *,
    parser: Parser,
    form: Form,
    report: Report = ignore,
    known: Sequence[Package] | None = None,
) -> list[tuple[MadeFile, ...]]:
    """Make the files below `repodata/` for each share, repomd.xml last; a share without packages has none listed.

    `known` are the packages of all shares, in upstream's order, where they were read and judged before.
    `FormatError` where the tree's repodata cannot be read or contradict it.
    """
    documents = Documents(tree, open_blob, parser)
    packages = documents.packages({path for share in shares for path in share}) if known is None else known
    portions = [_Portion(share, [package for package in packages if package.href in share]) for share in shares]
    source = _Source(documents, form, report, chosen=known is not None)
    source.share_list("primary", portions, lambda package: package.href)
    for kind in "filelists", "other":
        with source.reporting():
            source.share_list(kind, portions, lambda package: package.checksum)
    source.share_advisories(portions)
    with source.reporting():
        source.share_groups(portions)
    with source.reporting():
        source.share_modules(portions)
    seconds = int(datetime.datetime.fromisoformat(form.moment).timestamp())
    return [with_repomd(portion.documents, moment=seconds) for portion in portions]


@dataclass(slots=True)
class _Portion:
    """One share: the packages it has, and the documents made for it so far."""

    share: Share
    packages: Sequence[Package]
    documents: list[MadeDocument] = field(default_factory=list)

    def nevras(self) -> set[str]:
        """Name its packages as advisories and modules do."""
        return {nevra_key(one.name, one.epoch, one.version, one.release, one.arch) for one in self.packages}

    def placed(self, found: bytes) -> bytes:
        """Give a package's element of primary with the href that holds here."""
        href = href_of(found)
        return found if self.share[href] == href else with_href(found, _quoted(self.share[href]).encode())


class _Source:
    """A tree's documents, cut and shared out. `chosen` says that they list more than is in the tree, maybe much."""

    def __init__(self, documents: Documents, form: Form, report: Report, *, chosen: bool) -> None:
        self._chosen = chosen
        self._documents = documents
        self._form = form
        self._report = report

    def share_list(self, kind: Kind, portions: Sequence[_Portion], key_of: Callable[[Package], str]) -> None:
        """Give each portion its packages' elements of a document, each key once; one that lacks some gets bare ones."""
        holders: dict[str, list[int]] = {}
        lists = [{key_of(package): package for package in portion.packages} for portion in portions]
        for number, packages in enumerate(lists):
            for key in packages:
                holders.setdefault(key, []).append(number)
        record = self._documents.record(kind)
        if record is None:
            return
        files = [self._begun(kind, _XML + _LISTS[kind].format(len(packages)) + "\n") for packages in lists]
        for piece, found in self._slices(record, kind, set(holders)):
            _require_package(kind, piece, found, where=shown(record.href))
            for number in holders.pop(piece.key, ()):
                files[number].write((portions[number].placed(found) if kind == "primary" else found) + b"\n")
        if kind == "primary" and holders:
            raise FormatError("lists packages in a form that cannot be cut apart", where=shown(record.href))
        for key, numbers in holders.items():
            for number in numbers:
                files[number].write(_bare(lists[number][key]))
        for portion, file in zip(portions, files, strict=True):
            file.write(_END_OF_LIST[kind])
            portion.documents.append(file.finish())

    def share_advisories(self, portions: Sequence[_Portion]) -> None:
        """Give each portion the advisories that name a package of its."""
        there = [portion.nevras() for portion in portions]
        names = {package.name for portion in portions for package in portion.packages}
        files: list[Packed | None] = [None] * len(portions)
        record = self._documents.record("updateinfo")
        for piece, found in self._slices(record, "updateinfo", names if len(names) <= _FEW else None):
            for number, names in enumerate(there):
                if kept := _reduced(piece, found, names):
                    file = files[number] = files[number] or self._begun("updateinfo", _XML + "<updates>\n")
                    file.write(kept.rstrip() + b"\n")
        for portion, made in zip(portions, files, strict=True):
            if made:
                made.write(b"</updates>\n")
                portion.documents.append(made.finish())

    def share_groups(self, portions: Sequence[_Portion]) -> None:
        """Give each portion the groups that list a package of its, and what refers to these."""
        pieces = list(self._slices(self._documents.record("group"), "group"))
        for portion in portions:
            if kept := _standing(pieces, {package.name for package in portion.packages}):
                text = (_XML + "<comps>\n").encode() + b"".join(one.rstrip() + b"\n" for one in kept) + b"</comps>\n"
                portion.documents.append(plain("group", "comps.xml", text))

    def share_modules(self, portions: Sequence[_Portion]) -> None:
        """Give each portion the module streams that it has an artifact of, and what refers to these."""
        pieces = list(self._slices(self._documents.record("modules"), "modules"))
        for portion in portions:
            there = portion.nevras()
            lacking = self._form.whole - there
            if kept := _standing((one for one in pieces if _is_whole(one[0], lacking)), there):
                file = Packed("modules", "modules.yaml", self._form.packing)
                file.write(b"".join(kept))
                portion.documents.append(file.finish())

    def _begun(self, kind: Kind, text: str) -> Packed:
        file = Packed(kind, f"{kind}.xml", self._form.packing)
        file.write(text.encode())
        return file

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Report a document that cannot be read, and go on without it."""
        try:
            yield
        except FormatError as error:
            self._report(Warned(f"cannot be read, and is left out of a part: {error.message}", error.where))

    def _slices(self, record: Record | None, kind: Kind, only: set[str] | None = None) -> Iterator[tuple[Slice, bytes]]:
        if record is None:
            return
        if only is not None and not self._chosen and not self._documents.is_few(only):
            only = None
        with (
            self._documents.opened(record) as (file, unpacked, where),
            closing(self._documents.parser.slices(kind, file, unpacked, where=where, only=only)) as pieces,
        ):
            for piece, found in pieces:
                if piece.whole is not None and not _is_sound(piece.whole, 0, len(found)):
                    raise FormatError("lists what cannot be: parts that overlap", where=where)
                yield piece, found


def _require_package(kind: Kind, piece: Slice, found: bytes, *, where: str) -> None:
    """Believe no child: the element must be of the package that it is said to be of."""
    key = href_of(found) if kind == "primary" else pkgid_of(found)
    if key != piece.key or not found.startswith(b"<package") or not found.endswith(b"</package>"):
        raise FormatError("lists what cannot be: a slice of another package", where=where)


_END_OF_LIST: dict[Kind, bytes] = {kind: f"</{text[1 : text.index(' ')]}>\n".encode() for kind, text in _LISTS.items()}


def _quoted(text: str) -> str:
    """Write a value of an attribute."""
    return f'"{html.escape(text)}"'


def _bare(package: Package) -> bytes:
    """Write the element of a package that filelists or other know nothing of."""
    checksum, name, arch = map(_quoted, (package.checksum, package.name, package.arch))
    epoch, version, release = map(_quoted, (package.epoch, package.version, package.release))
    version = f"<version epoch={epoch} ver={version} rel={release}/>"
    return f"<package pkgid={checksum} name={name} arch={arch}>{version}</package>\n".encode()


def _is_whole(piece: Slice, lacking: Set[str]) -> bool:
    """Say whether a piece speaks of nothing that is lacking."""
    return piece.whole is None or not lacking or all(part.key not in lacking for part in piece.whole.inner)


def _standing(pieces: Iterable[tuple[Slice, bytes]], there: set[str]) -> list[bytes]:
    """Give, in order and reduced, the pieces that speak of what is there: first those that give, then the others."""
    pieces = list(pieces)
    kept: dict[int, bytes] = {}
    for giving in True, False:
        for number, (piece, found) in enumerate(pieces):
            if bool(piece.gives) == giving and (data := _reduced(piece, found, there)):
                kept[number] = data
                there.update(piece.gives)
    return [kept[number] for number in sorted(kept)]


def _reduced(piece: Slice, found: bytes, there: set[str]) -> bytes:
    """Cut out the parts that speak of what is not there; nothing stays where none does."""
    if piece.whole is None:
        return found if all(need in there for need in piece.needs) else b""
    if not _is_kept(piece.whole, there):
        return b""
    kept, start = bytearray(), 0
    for hole in _holes(piece.whole, there):
        kept += found[start : hole.start]
        start = hole.end
    return bytes(kept + found[start:])


def _holes(part: Part, there: set[str]) -> Iterator[Part]:
    for inner in part.inner:
        if _is_kept(inner, there):
            yield from _holes(inner, there)
        else:
            yield inner


def _is_kept(part: Part, there: set[str]) -> bool:
    return any(_is_kept(inner, there) for inner in part.inner) if part.inner else part.key in there


def _is_sound(part: Part, start: int, end: int) -> bool:
    """Say whether parts lie within each other and one behind the other."""
    if not start <= part.start <= part.end <= end:
        return False
    start = part.start
    for inner in part.inner:
        if not _is_sound(inner, start, part.end):
            return False
        start = inner.end
    return True
