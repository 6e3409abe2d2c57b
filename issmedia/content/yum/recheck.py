"""What an import brings, judged again by the keys that are pinned here: the sender's word is not taken for it.

A package is what is named `.rpm` or begins as one: metadata do not say what clients can be made to install. Delta RPMs
are none, since rpm installs only what is rebuilt of them. A package must be what metadata call it, those of any
repository within the tree; where these cannot be read, that is an exception as a package is one.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError
from issmedia.content.base import Arrived, OpenBlob
from issmedia.content.yum.inventory import SIGNATURE
from issmedia.content.yum.judge import MAX_SIGNATURE_FILE, Judge, PackageFile, judge_packages
from issmedia.content.yum.nested import called_in, repomds
from issmedia.content.yum.reader import MAX_REPOMD, Parser
from issmedia.content.yum.rpmheader import LEAD_MAGIC
from issmedia.content.yum.wanted import REPOMD
from issmedia.model.judgement import (
    DELTA,
    MAX_REASON,
    Judged,
    Outcome,
    metadata_policy_in_force,
    outcome_of,
    policy_in_force,
)
from issmedia.model.package import Nevra
from issmedia.model.pinning import VendorKey
from issmedia.model.tree import Entry, Tree

_Named = tuple[Digest, tuple[Nevra, ...]]
"""A blob, and what metadata call it."""


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
        metadata = None if metadata_policy == "off" else _metadata(judge, arrived.tree, open_blob, keys, now=now)
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


def _metadata(judge: Judge, tree: Tree, open_blob: OpenBlob, keys: tuple[VendorKey, ...], *, now: int) -> Judged:
    """Judge repomd.xml, and those within the tree: where the first is good and another is not, that one is named."""
    entries = _by_path(tree)
    main = judge_repomd(REPOMD, entries, open_blob, judge, keys=keys, now=now)
    within = [path for path in repomds(entries) if path != REPOMD]
    for path in within if main.verdict == "good" else ():
        one = judge_repomd(path, entries, open_blob, judge, keys=keys, now=now)
        if one.verdict != "good":
            reason = f"{path[:120]}: {one.verdict}: {one.reason}"[:MAX_REASON]
            return Judged("bad" if one.verdict == "bad" else "cannot judge", reason=reason)
    return main


def judge_repomd(
    path: str,
    entries: Mapping[str, Entry],
    open_blob: OpenBlob,
    judge: Judge,
    *,
    keys: tuple[VendorKey, ...],
    now: int,
) -> Judged:
    """Judge the repomd.xml at a path of a tree by the signature that lies beside it."""
    repomd, signature = entries.get(path), entries.get(f"{path}.asc")
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
    with Parser() as parser:
        called, unread = called_in(_by_path(arrived.tree), open_blob, parser)
        before = _proved(arrived, keys, open_blob, parser)
    for path, reason in unread.items():
        yield path, Judged("cannot judge", reason=f"what it calls packages is not known: {reason}"[:MAX_REASON])
    paths: dict[_Named, list[Entry]] = {}
    for entry in (one for one in arrived.tree.entries if one.path not in unread):
        if entry.path in called or entry.path.endswith(".rpm") or begins_as_package(open_blob, entry):
            paths.setdefault((entry.sha256, called.get(entry.path, ())), []).append(entry)
    yield from ((entry.path, before[named]) for named in paths if named in before for entry in paths[named])
    files = [
        PackageFile(entries[0].path, entries[0].size, partial(open_blob, named[0]), named[1])
        for named, entries in paths.items()
        if named not in before
    ]
    same = {entries[0].path: entries for entries in paths.values()}
    for path, judged in judge_packages(files, keys, now=now):
        for entry in same[path]:
            if judged.reason != DELTA or not entry.path.endswith(".drpm"):
                yield entry.path, judged


def _proved(arrived: Arrived, keys: Sequence[VendorKey], open_blob: OpenBlob, parser: Parser) -> dict[_Named, Judged]:
    """Give the blobs of packages that these keys proved good before, and what metadata called them then.

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
    called, _ = called_in(_by_path(arrived.before), open_blob, parser)
    packages = (entry for entry in arrived.before.entries if entry.path.endswith(".rpm"))
    return {(entry.sha256, called.get(entry.path, ())): good for entry in packages}


def _by_path(tree: Tree) -> dict[str, Entry]:
    return {entry.path: entry for entry in tree.entries}


def begins_as_package(open_blob: OpenBlob, entry: Entry) -> bool:
    """Say whether a file begins as an RPM does, whatever its name."""
    if entry.size < len(LEAD_MAGIC):
        return False
    with open_blob(entry.sha256) as file:
        return file.read(len(LEAD_MAGIC)) == LEAD_MAGIC


def _read(open_blob: OpenBlob, entry: Entry) -> bytes:
    with open_blob(entry.sha256) as file:
        return file.read(entry.size)
