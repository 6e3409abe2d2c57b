"""The receipt: what a site says it holds, signed, to be carried back; it chooses the base of the next delta.

A receipt is one file: the document, which is its first line, and below it armored SSH signatures of exactly that line
with its newline, in the namespace `issmedia-receipt`. OpenSSH alone can check it:

    head -n 1 FILE | ssh-keygen -Y verify -f allowed_signers -I NAME -n issmedia-receipt -s <(tail -n +2 FILE)

Of 50 repositories it has at most 4 kB, signature included, so a tree goes by its *mark*: the first 128 bits of its
digest. Whoever makes upstream content would need 2^128 work to find a tree with the mark of another, and 2^64 to make
two trees of one mark. Neither gains anything. The receiver looks marks up among the trees it exported, refuses
one that fits two, and the delta names its base by the whole digest, which the site compares before it reads on: a
wrong base is refused there. What the site holds is proved by whole digests, of the ledger and of the bundles.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError
from issmedia.model import strictjson
from issmedia.model.manifest import Document, Label, LedgerHead, Positive, SiteName, Time, Tool
from issmedia.model.names import is_label, shown
from issmedia.model.signers import is_moment
from issmedia.model.tree import DigestField, SizeField

FORMAT = "issmedia-receipt"
VERSION = 1
NAMESPACE_RECEIPT = "issmedia-receipt"
MAX_RECEIPT = 64 << 10
"""The longest receipt that is read, signatures included, in bytes."""

MAX_REFUSED = 8
ROOM = 3500
"""Bytes that `fitted` keeps a document to: a signature of any key beside it makes less than 4 kB."""

_WHERE = "receipt"
_ARMOR = b"-----BEGIN SSH SIGNATURE-----\n"
_MARK_BYTES = 16

Mark = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{21}[AQgw]$", min_length=22, max_length=22)]
RepositoryPath = Annotated[str, msgspec.Meta(pattern="^[^/]+/[^/]+$", max_length=257)]
Short = Annotated[str, msgspec.Meta(max_length=160)]


class ChainEnd(Document, frozen=True):
    """The newest bundle that was imported of a chain: who made it for whom, its place, id and moment."""

    site: SiteName
    destination: Label | None
    sequence: Positive
    bundle: DigestField
    created: Time


class Held(Document, frozen=True, array_like=True):
    """One repository as `["PRODUCT/REPO", MARK, PACKAGES]`; the mark of its tree is that of `tree_mark`."""

    path: RepositoryPath
    tree: Mark
    packages: SizeField


class Refusal(Document, frozen=True):
    """What the site refused, when, and why."""

    time: Time
    what: Short
    reason: Short


class Receipt(Document, frozen=True):
    """The signed document; its id is the SHA-256 of its bytes. `refused` holds the newest first.

    When a repository's tree was taken is not said: who made that tree knows.
    """

    format: Literal["issmedia-receipt"]
    version: Literal[1]
    site: SiteName
    created: Time
    tool: Tool
    ledger: LedgerHead
    chains: tuple[ChainEnd, ...]
    repositories: tuple[Held, ...]
    refused: Annotated[tuple[Refusal, ...], msgspec.Meta(max_length=MAX_REFUSED)]


def split_receipt(data: bytes) -> tuple[bytes, bytes]:
    """Split a receipt's file into the document and its signatures; nothing of either is checked yet.

    `FormatError` over 64 KiB, and where the first line is not followed by signatures.
    """
    if len(data) > MAX_RECEIPT:
        raise FormatError(f"expected at most {MAX_RECEIPT} bytes, found {len(data)}", where=_WHERE)
    document, newline, signatures = data.partition(b"\n")
    if not signatures.startswith(_ARMOR):
        raise FormatError(
            "expected one line of JSON, and SSH signatures from the next line on",
            where=_WHERE,
            hint="carry the file as it is; an editor may have changed its line ends",
        )
    return document + newline, signatures


def parse_receipt(document: bytes) -> Receipt:
    """Parse the document strictly; `FormatError` names the field, or the unknown format or version."""
    if len(document) > MAX_RECEIPT:
        raise FormatError(f"expected at most {MAX_RECEIPT} bytes, found {len(document)}", where=_WHERE)
    plain = strictjson.parse_plain(document, where=_WHERE)
    strictjson.require_head(plain, FORMAT, VERSION, where=_WHERE)
    receipt = strictjson.convert(plain, Receipt, where=_WHERE)
    _check_times(receipt)
    _check_names(receipt)
    return receipt


def render_receipt(receipt: Receipt) -> bytes:
    """Write the document: UTF-8, keys sorted, one line without blanks."""
    plain = msgspec.to_builtins(receipt)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def refusal(time: str, what: str, reason: str) -> Refusal:
    """Say what was refused, in at most 160 characters a field."""
    return Refusal(time, _shortened(what), _shortened(reason))


def fitted(receipt: Receipt) -> Receipt:
    """Leave out the oldest refusals, until the document has at most `ROOM` bytes or names none."""
    while receipt.refused and len(render_receipt(receipt)) > ROOM:
        receipt = msgspec.structs.replace(receipt, refused=receipt.refused[:-1])
    return receipt


def tree_mark(tree: Digest) -> str:
    """Give the first 128 bits of a tree's digest, as 22 characters of base64url (RFC 4648 §5) without padding."""
    return base64.urlsafe_b64encode(bytes.fromhex(tree)[:_MARK_BYTES]).decode().rstrip("=")


def held_trees(receipt: Receipt, known: Iterable[Digest]) -> Mapping[str, Digest]:
    """Map PRODUCT/REPO to the tree that it is, for each repository whose mark is that of a `known` tree.

    `FormatError` where a mark of the receipt fits two of them: that is no accident.
    """
    marks = {held.tree for held in receipt.repositories}
    trees: dict[str, Digest] = {}
    for tree in known:
        mark = tree_mark(tree)
        if mark in marks and trees.setdefault(mark, tree) != tree:
            raise FormatError(f"two trees have the same first 128 bits: {trees[mark]}, {tree}", where=_WHERE)
    return {held.path: trees[held.tree] for held in receipt.repositories if held.tree in trees}


def _shortened(text: str) -> str:
    return text if len(text) <= 160 else text[:159] + "…"


def _check_times(receipt: Receipt) -> None:
    ends = [chain.created for chain in receipt.chains]
    for moment in (receipt.created, *ends, *(one.time for one in receipt.refused)):
        if not is_moment(moment):
            raise FormatError(f"no such time: {moment}", where=_WHERE)


def _check_names(receipt: Receipt) -> None:
    """Refuse names that are no labels, and what stands twice; case makes no difference."""
    for label in (label for held in receipt.repositories for label in held.path.split("/")):
        if not is_label(label):
            raise FormatError("is not a label", where=f"{_WHERE}: repositories: {shown(label)}")
    for chain in receipt.chains:
        if chain.destination is not None and not is_label(chain.destination):
            raise FormatError("is not a label", where=f"{_WHERE}: chains: {shown(chain.destination)}")
    _require_distinct("repositories", [held.path.casefold() for held in receipt.repositories])
    _require_distinct("chains", [(one.site.id, (one.destination or "").casefold()) for one in receipt.chains])


def _require_distinct(name: str, values: list[str] | list[tuple[str, str]]) -> None:
    if len(set(values)) != len(values):
        raise FormatError("an entry stands twice", where=f"{_WHERE}: {name}")
