"""What lies where on each volume: payload at its paths, repodata for what is here, and what is made for the volume."""

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from issmedia.base.digest import digest_of
from issmedia.bundle import layout
from issmedia.bundle.carried import Carried
from issmedia.bundle.loading import Piece
from issmedia.bundle.places import encode_places
from issmedia.bundle.readme import Here, readme
from issmedia.bundle.volume import PlannedFile
from issmedia.model.clientfile import ClientRepository, file_url, render_client_file
from issmedia.model.names import CLIENT_FILE, shown
from issmedia.model.schemas import DOCUMENTS, schema
from issmedia.model.target import Header
from issmedia.model.tree import Tree

MOUNT = "/mnt/issmedia"
"""Where `issmedia.repo` on a volume expects the volume to be mounted."""


class Made(Protocol):
    """A file that was made: its path relative to the repository, its bytes."""

    @property
    def path(self) -> str:
        """Say where in the repository it lies."""

    @property
    def content(self) -> bytes:
        """Give its bytes."""


Describe = Callable[[Tree, Sequence[Mapping[str, str]], str], Sequence[Sequence[Made]]]
"""Makes repodata of parts of a repository. A part maps paths of the tree → hrefs as seen from the repository's
directory on its volume, and the moment (RFC 3339 UTC) dates what is made; the answer has the files of each part, none
where the repository's own repodata cannot be read."""


def describe_nothing(_tree: Tree, parts: Sequence[Mapping[str, str]], _moment: str) -> Sequence[Sequence[Made]]:
    """Be the `Describe` of content that has no repodata."""
    return [() for _ in parts]


class Load(msgspec.Struct, frozen=True):
    """What goes on one volume; `links` says that a blob may lie at several paths for the price of one."""

    pieces: Sequence[Piece]
    links: bool


class _Share(msgspec.Struct, frozen=True):
    """What of a repository lies on a volume: path in its tree → path on the volume. `whole` is all of it, in place."""

    files: Mapping[str, str]
    whole: bool


def lay(
    loads: Sequence[Load], parts: Sequence[Carried], header: Header, *, count: int, describe: Describe
) -> list[list[PlannedFile]]:
    """Give the files of each volume, of `count` in all, sorted by path, `SHA256SUMS` not among them."""
    shares = [_shares(parts, load) for load in loads]
    described = _described(parts, shares, describe, header.created)
    sticky = [*_sticky(parts), *_places(loads)]
    volumes = []
    for number, (load, own, repodata) in enumerate(zip(loads, shares, described, strict=True), 1):
        files = [
            *_payload(load, own),
            *(_made(layout.repo_path(path, one.path), one.content) for path, made in repodata.items() for one in made),
            *sticky,
            *(_marks(header, number, count) if count > 1 else ()),
            *_guides(header, parts, own, repodata, number, count),
        ]
        volumes.append(_once(files))
    return volumes


def lay_parity(parts: Sequence[Carried], header: Header, *, number: int, count: int) -> list[PlannedFile]:
    """Give the files of a parity volume but for the parity itself."""
    files = _sticky(parts)
    files += [_made(layout.README, readme(header, (), MOUNT, number=number, count=count, parity=True))]
    return _once(files)


def _once(files: Iterable[PlannedFile]) -> list[PlannedFile]:
    return sorted({file.path: file for file in files}.values(), key=lambda file: file.path)


def _shares(parts: Sequence[Carried], load: Load) -> dict[str, _Share]:
    """Say where each repository's files lie: each at its own path; on media without links a blob has one path."""
    files: dict[str, dict[str, str]] = {part.path: {} for part in parts}
    for piece in load.pieces:
        for repository, path in piece.places if piece.part is None else ():
            at = (repository, path) if load.links else piece.places[0]
            files[repository][path] = layout.repo_path(*at)
    return {part.path: _share(part, files[part.path]) for part in parts}


def _share(part: Carried, files: Mapping[str, str]) -> _Share:
    complete = len(files) == len(part.target.tree.entries)
    return _Share(files, complete and all(where == layout.repo_path(part.path, path) for path, where in files.items()))


def _payload(load: Load, shares: Mapping[str, _Share]) -> Iterable[PlannedFile]:
    for piece in load.pieces:
        if piece.part is not None:
            yield PlannedFile(piece.path, piece.sha256, piece.size, part=piece.part)
            continue
        for repository, path in piece.places:
            share = shares[repository]
            apart = layout.is_metadata(path) and not share.whole
            where = layout.blob_path(piece.sha256) if apart else share.files[path]
            yield PlannedFile(where, piece.sha256, piece.size)


def _described(
    parts: Sequence[Carried], shares: Sequence[Mapping[str, _Share]], describe: Describe, moment: str
) -> list[dict[str, Sequence[Made]]]:
    """Make the repodata of each repository of which a part lies on a volume, for all volumes in one go."""
    made: list[dict[str, Sequence[Made]]] = [{} for _ in shares]
    for part in parts:
        wanting = [n for n, own in enumerate(shares) if not own[part.path].whole and _packages(own[part.path])]
        hrefs = [_hrefs(part.path, shares[n][part.path]) for n in wanting]
        for n, files in zip(wanting, describe(part.target.tree, hrefs, moment) if hrefs else (), strict=True):
            made[n][part.path] = files
    return made


def _packages(share: _Share) -> list[str]:
    return [path for path in share.files if not layout.is_metadata(path)]


def _rpms(share: _Share) -> int:
    return sum(path.endswith(".rpm") for path in share.files)


def _hrefs(repository: str, share: _Share) -> dict[str, str]:
    here = layout.repo_path(repository, "")
    own = {path: share.files[path] for path in _packages(share)}
    return {path: path if where == here + path else posixpath.relpath(where, here) for path, where in own.items()}


def _sticky(parts: Sequence[Carried]) -> list[PlannedFile]:
    """Give what every volume holds, so that each can be checked, and imported first: listings, keys, schemas."""
    listings = {part.entry.tree: part.listing for part in parts}
    keys = {key.sha256: key.size for part in parts for key in part.target.keys}
    return [
        *(_made(layout.tree_path(digest), listing.stored) for digest, listing in listings.items()),
        *(PlannedFile(layout.blob_path(digest), digest, size) for digest, size in keys.items()),
        *(_made(f"schemas/{name}", schema(name)) for name in sorted(DOCUMENTS)),
    ]


def _places(loads: Sequence[Load]) -> list[PlannedFile]:
    """Give the hint for asking, where there is more than one volume to ask for."""
    if len(loads) == 1:
        return []
    return [_made(layout.PLACES, encode_places([[piece.sha256 for piece in load.pieces] for load in loads]))]


def _marks(header: Header, number: int, count: int) -> list[PlannedFile]:
    """Give what anaconda and zypper know a disc by.

    To zypper (libzypp, SUSEMediaVerifier) each volume is the one medium of a source of its own, told from others by the
    second line. anaconda compares the third line of `.discinfo` with its architecture: `noarch` is no source to install
    from; what of a repository is one has a `.discinfo` of its own.
    """
    name = shown(f"{header.site.name} {header.sequence}")
    seconds = datetime.fromisoformat(header.created).timestamp()
    to = header.destination or ""
    ident = f"{header.site.id} {to} {header.sequence} {header.created} {number}/{count}"
    return [
        _made(layout.DISCINFO, f"{seconds:.6f}\n{name}\nnoarch\n{number}\n".encode()),
        _made(layout.MEDIA_MARK, f"issmedia\n{ident}\n1\n".encode()),
    ]


def _guides(
    header: Header,
    parts: Sequence[Carried],
    shares: Mapping[str, _Share],
    repodata: Mapping[str, Sequence[Made]],
    number: int,
    count: int,
) -> list[PlannedFile]:
    here = [
        Here(part.entry, None if shares[part.path].whole else _rpms(shares[part.path]), bool(made))
        for part in parts
        if shares[part.path].files
        for made in (repodata.get(part.path),)
    ]
    return [
        _made(layout.README, readme(header, here, MOUNT, number=number, count=count)),
        _made(CLIENT_FILE, _client_file([one for one in here if one.serves])),
    ]


def _client_file(repositories: Sequence[Here]) -> bytes:
    """Write the file for dnf; upstream's signature covers only repodata that are upstream's."""
    comment = (
        f"For dnf, with this volume mounted at {MOUNT};\nmounted elsewhere, change baseurl. Check it first: README.txt."
    )
    sections = [
        ClientRepository(
            one.entry.path,
            one.entry.name,
            file_url(f"{MOUNT}/{layout.repo_path(one.entry.path, '')}"),
            one.entry.signed_metadata and one.whole,
        )
        for one in repositories
    ]
    return render_client_file(sections, comment=comment)


def _made(path: str, content: bytes) -> PlannedFile:
    return PlannedFile(path, digest_of(content), len(content), content)
