"""What an import brings, judged again by the keys that are pinned here: the sender's word is not taken for it.

A package is what is named `.rpm` or begins as one: metadata do not say what clients can be made to install. Delta RPMs
are none, since rpm installs only what is rebuilt of them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

from issmedia.base.errors import FormatError
from issmedia.content.base import Arrived, OpenBlob
from issmedia.content.yum.inventory import SIGNATURE
from issmedia.content.yum.judge import MAX_SIGNATURE_FILE, Judge, PackageFile, judge_packages
from issmedia.content.yum.reader import MAX_REPOMD
from issmedia.content.yum.rpmheader import LEAD_MAGIC
from issmedia.content.yum.wanted import REPOMD
from issmedia.model.judgement import (
    DELTA,
    Judged,
    Outcome,
    metadata_policy_in_force,
    outcome_of,
    policy_in_force,
)
from issmedia.model.pinning import VendorKey
from issmedia.model.tree import Entry, Tree


def recheck(arrived: Arrived, open_blob: OpenBlob, moment: str) -> Outcome | None:
    """Judge a repository's packages and its repomd.xml; None where no key is pinned and nothing is asked for.

    Packages that the keys pinned now were asked about before, all to the good, are counted and not read again.
    """
    repository, pinned = arrived.repository, bool(arrived.keys)
    policy = policy_in_force(repository.gpgcheck, pinned=pinned)
    signed = arrived.signed_metadata or arrived.tree.find(SIGNATURE) is not None
    metadata_policy = metadata_policy_in_force(repository.repo_gpgcheck, pinned=pinned, signed=signed)
    if policy == metadata_policy == "off":
        return None
    now = int(datetime.fromisoformat(moment).timestamp())
    with Judge() as judge:
        keys = _keys(judge, arrived)
        metadata = None if metadata_policy == "off" else _metadata(judge, arrived.tree, open_blob, keys, now)
    judged = () if policy == "off" else _packages(arrived, open_blob, keys, now)
    return outcome_of(
        judged,
        (key.fingerprint for key in keys),
        policy=policy,
        metadata_policy=metadata_policy,
        metadata=metadata,
    )


def _keys(judge: Judge, arrived: Arrived) -> tuple[VendorKey, ...]:
    where = f"{arrived.repository.path}: a pinned key"
    try:
        found = [key for data in arrived.keys for key in judge.read_keys(data, where=where)]
    except FormatError as cause:
        cause.hint = f"pin another: issmedia repo set {arrived.repository.path} --gpg-key FILE"
        raise
    return tuple({key.fingerprint: key for key in found}.values())


def _metadata(judge: Judge, tree: Tree, open_blob: OpenBlob, keys: tuple[VendorKey, ...], now: int) -> Judged:
    repomd, signature = tree.find(REPOMD), tree.find(SIGNATURE)
    if repomd is None or signature is None:
        return Judged("unsigned", reason=f"{SIGNATURE} is not there")
    if repomd.size > MAX_REPOMD or signature.size > MAX_SIGNATURE_FILE:
        return Judged("cannot judge", reason="repomd.xml or its signature is longer than is read")
    data, armor = (_read(open_blob, entry) for entry in (repomd, signature))
    return judge.judge_detached(data, armor, keys, now=now)


def _packages(
    arrived: Arrived, open_blob: OpenBlob, keys: tuple[VendorKey, ...], now: int
) -> Iterator[tuple[str, Judged]]:
    """Give the verdict on each package, (path, verdict); a blob that several paths name is judged once."""
    before = _proved(arrived, keys)
    paths: dict[str, list[Entry]] = {}
    for entry in arrived.tree.entries:
        if entry.path.endswith(".rpm") or begins_as_package(open_blob, entry):
            paths.setdefault(entry.sha256, []).append(entry)
    known = {sha256 for sha256 in paths if sha256 in before}
    yield from ((entry.path, before[sha256]) for sha256 in known for entry in paths[sha256])
    files = [
        PackageFile(entries[0].path, entries[0].size, partial(open_blob, entries[0].sha256))
        for sha256, entries in paths.items()
        if sha256 not in known
    ]
    same = {entries[0].path: entries for entries in paths.values()}
    for path, judged in judge_packages(files, keys, now=now):
        for entry in same[path]:
            if judged.reason != DELTA or not entry.path.endswith(".drpm"):
                yield entry.path, judged


def _proved(arrived: Arrived, keys: Sequence[VendorKey]) -> dict[str, Judged]:
    """Give the blobs of packages that these keys proved good before.

    With several signers nobody knows any more who signed which, and of exceptions not all may be named: then none. Nor
    where a key was revoked, perhaps since.
    """
    judged = arrived.judged
    if judged is None or arrived.before is None or judged.policy == "off":
        return {}
    revoked = any(key.revoked or any(one.revoked for one in key.signing) for key in keys)
    if revoked or set(judged.keys) != {key.fingerprint for key in keys}:
        return {}
    if len(judged.signers) != 1 or judged.exceptions or judged.unnamed:
        return {}
    good = Judged("good", judged.signers[0].key)
    return {entry.sha256: good for entry in arrived.before.entries if entry.path.endswith(".rpm")}


def begins_as_package(open_blob: OpenBlob, entry: Entry) -> bool:
    """Say whether a file begins as an RPM does, whatever its name."""
    if entry.size < len(LEAD_MAGIC):
        return False
    with open_blob(entry.sha256) as file:
        return file.read(len(LEAD_MAGIC)) == LEAD_MAGIC


def _read(open_blob: OpenBlob, entry: Entry) -> bytes:
    with open_blob(entry.sha256) as file:
        return file.read(entry.size)
