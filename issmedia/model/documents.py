"""Documents the catalog keeps: product, repository, snapshot."""

import msgspec

from issmedia.base.digest import Digest
from issmedia.model.judgement import Outcome, Policy
from issmedia.model.selection import Selected, Selection
from issmedia.model.transport import Transport
from issmedia.model.tree import DigestField

MAX_OPENPGP_KEY = 1 << 20
"""The longest file of a pinned OpenPGP key, in bytes."""


class LeftOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that was asked for and is not there: `path` within the repository, and why."""

    path: str
    reason: str


class Product(msgspec.Struct, frozen=True):
    """A group of repositories; `label` is stable, `name` is for people."""

    label: str
    name: str


class Repository(msgspec.Struct, frozen=True):
    """A repository of a product. `source` is a directory or URL, None where it came by import.

    `keys` are blobs of OpenPGP public keys that the operator pinned for it; `transport` is how it is fetched,
    `selection` what is wanted of it, None where that is all. `gpgcheck` is the policy for signatures of its packages,
    `repo_gpgcheck` for that of its repomd.xml: None where the operator did not say.
    """

    product: str
    label: str
    name: str
    source: str | None = None
    content_type: str = "yum"
    keys: tuple[Digest, ...] = ()
    transport: Transport = Transport()
    selection: Selection | None = None
    gpgcheck: Policy | None = None
    repo_gpgcheck: Policy | None = None

    @property
    def path(self) -> str:
        """Write `PRODUCT/REPO`."""
        return f"{self.product}/{self.label}"


class Snapshot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A repository's tree at a moment. `size` is bytes, `taken` RFC 3339 UTC.

    `signed_metadata` says that upstream signed its repomd.xml, now or in an earlier snapshot; `bundle` is the id of the
    bundle it came by, `origin` the id of the site that made that, `origin_taken` when that site took the snapshot.
    `selected` says of a selection from what it was made; its metadata are ours, and unsigned; `upstream_signed` says of
    it that upstream's repomd.xml had a signature, then or before. `trust` is what checking upstream's signatures gave,
    None where nobody looked.
    """

    repository: str
    tree: DigestField
    taken: str
    files: int
    packages: int
    size: int
    signed_metadata: bool
    incomplete: tuple[LeftOut, ...] = ()
    source: str | None = None
    bundle: str | None = None
    origin: str | None = None
    origin_taken: str | None = None
    selected: Selected | None = None
    trust: Outcome | None = None
    upstream_signed: bool = False


class Destination(msgspec.Struct, frozen=True):
    """A site that bundles are made for; `keys` are OpenSSH public keys (`TYPE BASE64`) that sign its receipts.

    `site` is its id, known from its first receipt on; `added` is RFC 3339 UTC.
    """

    label: str
    keys: tuple[str, ...]
    added: str
    site: str | None = None


class ReceiptRecord(msgspec.Struct, frozen=True):
    """A receipt that was accepted from `site` (a label), or made here (None), and the trees it is known to name.

    `document` is what was signed, `recorded` when this site had it; times are RFC 3339 UTC.
    """

    id: Digest
    site: str | None
    created: str
    ledger: tuple[int, Digest]
    recorded: str
    document: bytes
    trees: dict[str, Digest]
