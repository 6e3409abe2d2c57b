"""Names and paths on a volume, and the form of `SHA256SUMS`. Source: `docs/format.md`."""

import re
from collections.abc import Iterable

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError
from issmedia.model import names

MANIFEST = "manifest.json"
PARTIAL = "manifest.json.partial"
INCOMING = ".tmp-export"
PARITY_WORK = ".tmp-parity"
SIGNATURES = "manifest.json.sig"
SUMS = "SHA256SUMS"
README = "README.txt"
SMALL = 16 << 20
"""The longest file that is neither a blob of a tree nor a listing: README, client file, schemas."""

MAX_SUMS = 1 << 30
"""The longest `SHA256SUMS` that is read, in bytes."""

LINE = 64 + 2 + 1
"""Bytes of a line of it beside the path."""

LONGEST_LINE = LINE + names.MAX_VOLUME_PATH
"""The longest line of it: digest, two blanks, path, newline."""

APART = frozenset({MANIFEST, SIGNATURES, SUMS})
"""Files that `SHA256SUMS` does not list: the manifest lists its digest, and the signatures sign the manifest."""

REPORT, REPORT_SIGNATURE, REPORT_PAGE = "report.json", "report.json.sig", "report.html"
SLEEVES = "labels.html"
"""Labels to print for the media."""

BESIDE = frozenset({REPORT, REPORT_SIGNATURE, REPORT_PAGE, SLEEVES})
"""What an export leaves beside the bundle: no part of it, never opened, and no stray."""

PARITY = "parity/"
"""Where parity lies on a parity volume."""

IMAGE = ".iso"
"""How the names of images end."""

PLACES = "places.txt.zst"
"""On which volume each blob lies: `bundle.places`."""

DISCINFO, MEDIA_MARK = ".discinfo", "media.1/media"
"""What anaconda and zypper know a disc by."""

FOLDERS = frozenset({"repos", "trees", "blobs", "schemas", "parity", "media.1"})
"""The directories at a volume's root: whatever lies in them is ours."""

SYSTEM = frozenset({"lost+found", "System Volume Information"})
"""What file systems put on media themselves; no volume of ours, and no reason to refuse a medium."""

_LABEL = re.compile("ISSM_[0-9A-F]{8}_V[0-9]{2,}OF[0-9]{2,}")
_LINE = re.compile(rb"([0-9a-f]{64})  ([^\n]+)\n")


def repo_path(repository: str, path: str) -> str:
    """Say where a repository's file lies; `repository` is PRODUCT/REPO."""
    return f"repos/{repository}/{path}"


def blob_path(digest: Digest) -> str:
    """Say where a blob without a place of its own lies."""
    return f"blobs/{digest[:2]}/{digest}"


def part_path(digest: Digest, number: int) -> str:
    """Say where a numbered part of a blob lies."""
    return f"{blob_path(digest)}.{number:03}"


def volume_label(mark: str, number: int, count: int) -> str:
    """Name a volume so that every file system takes it as its own name: `ISSM_<8 HEX>_V03OF07`."""
    return f"ISSM_{mark[:8].upper()}_V{number:02}OF{count:02}"


def is_volume_label(name: str) -> bool:
    """Say whether a directory or image (`….iso`) is named as a volume of a set is."""
    return _LABEL.fullmatch(name.removesuffix(IMAGE)) is not None


def is_metadata(path: str) -> bool:
    """Say whether a file of a repository is one of its metadata, which speak of all its packages."""
    return "repodata" in path.split("/")[:-1]


def tree_path(digest: Digest) -> str:
    """Say where a tree's listing lies."""
    return f"trees/{digest}.jsonl.zst"


def encode_sums(files: Iterable[tuple[str, Digest]]) -> bytes:
    """Write `SHA256SUMS` from (path, digest) pairs: coreutils' format, sorted by path."""
    return b"".join(f"{digest}  {path}\n".encode() for path, digest in sorted(files))


def parse_sums(data: bytes, *, where: str) -> dict[str, Digest]:
    """Read `SHA256SUMS` strictly: form, order, grammar, collisions; path → digest."""
    index: dict[str, Digest] = {}
    position = 0
    while position < len(data):
        match = _LINE.match(data, position)
        if match is None:
            raise FormatError(f"line {len(index) + 1} is not a digest, two spaces and a name", where=where)
        index[_path(match[2], where)] = Digest(match[1].decode())
        position = match.end()
    if encode_sums(index.items()) != data:
        raise FormatError("lines are not sorted, or one stands twice", where=where)
    if problems := list(names.collisions([*index, *APART])):
        raise FormatError("paths on the volume collide", where=where, problems=problems)
    return index


def _path(raw: bytes, where: str) -> str:
    try:
        return names.checked_path(raw.decode(), limit=names.MAX_VOLUME_PATH)
    except UnicodeDecodeError as cause:
        raise FormatError("a name is not UTF-8", where=where) from cause
