"""What the judging child is asked, and what it says: one JSON object a line, which the parent checks against these."""

import msgspec

from issmedia.model.package import Nevra
from issmedia.model.pinning import VendorKey


class KeysJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="keys"):
    """Say the `VendorKey` of each of these packets of a key."""

    keys: tuple[bytes, ...]


class DetachedJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="detached"):
    """Say the `Judged` of the document, with packets of detached signatures, and keys that are pinned."""

    keys: tuple[VendorKey, ...]
    signature: bytes
    now: int


class PackagesJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="packages"):
    """Say the `Judged` of each package whose descriptor comes over the socket that the document is; end as it ends.

    `listed` has what metadata call each of them: nothing where none do, and more than one name where they differ.
    """

    keys: tuple[VendorKey, ...]
    now: int
    listed: tuple[tuple[Nevra, ...], ...]


JudgingJob = KeysJob | DetachedJob | PackagesJob
