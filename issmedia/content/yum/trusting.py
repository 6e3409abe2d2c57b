"""Trust in one upstream while it is synced: repomd.xml is judged before it is parsed, packages once they came.

Packages are what the metadata list, and all files that are named `*.rpm` or begin as one, say what else lies in a
directory; delta RPMs are none. One whose blob was judged good before, by the same
keys and policies, is not judged again, unless metadata call it otherwise now.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from types import TracebackType

from issmedia.base.errors import FormatError, UntrustedError, UpstreamError
from issmedia.base.events import Advanced, Finished, Note, Started, Warned
from issmedia.base.units import count_text
from issmedia.content.base import Checks, Previous
from issmedia.content.yum.fetch import Fetcher
from issmedia.content.yum.judge import Judge, PackageFile, judge_packages
from issmedia.content.yum.recheck import begins_as_package, judge_repomd
from issmedia.content.yum.wanted import REPOMD, Called
from issmedia.model.documents import LeftOut
from issmedia.model.judgement import (
    DELTA,
    Judged,
    Outcome,
    Policy,
    is_refused,
    metadata_policy_in_force,
    outcome_of,
    policy_in_force,
    problems,
)
from issmedia.model.names import shown
from issmedia.model.pinning import VendorKey, fingerprints
from issmedia.model.tree import Entry

PHASE = "signatures"

_FEW, _FEW_BYTES = 100, 32 << 20
"""Packages that are judged in about the time in which further children start."""

_PACKAGE, _DELTA = ".rpm", ".drpm"
_NO_SIGNATURE = Judged("unsigned", reason="upstream has no signature of it")
_UNPINNED = "upstream signs its metadata, but no key is pinned, so nothing is judged: issmedia repo set --gpg-key FILE"
_HINT = "nothing was changed; issmedia repo set: --gpg-key pins a key, --{} warn takes what is not good, and says so"


class Trusting:
    """The judging in one sync, for a `with` block; `outcome` is what it gave, None where nothing is to be judged."""

    def __init__(self, fetcher: Fetcher, checks: Checks, previous: Previous | None) -> None:
        self.outcome: Outcome | None = None
        self._fetcher = fetcher
        self._checks = checks
        self._previous = previous
        self._policy = policy_in_force(checks.gpgcheck, pinned=bool(checks.keys))
        self._metadata_policy: Policy = "off"
        self._metadata: Judged | None = None
        self._keys: tuple[VendorKey, ...] = ()
        self._judge: Judge | None = None
        self._listed: Called = {}
        self._listed_before: Callable[[], Called] = dict

    def __enter__(self) -> "Trusting":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._judge is not None:
            self._judge.__exit__(kind, value, trace)

    @property
    def asks_for_a_signature(self) -> bool:
        """Say whether it matters that upstream signs its repomd.xml."""
        return self._metadata_policy_where(signed=True) != "off"

    @property
    def judges_packages(self) -> bool:
        """Say whether packages are judged."""
        return self._policy != "off"

    def is_settled(self) -> bool:
        """Say whether the snapshot before was judged by the keys and policies of now, or not at all as now."""
        before = self._previous.trust if self._previous else None
        metadata_policy = self._metadata_policy_where(signed=self._signed_before)
        if self._policy == "off" and metadata_policy == "off":
            return before is None
        return before is not None and before.metadata_policy == metadata_policy and self._judged_alike(before)

    def saw_signature(self) -> None:
        """Say that one is there, where nobody asks for it and nobody chose not to."""
        if self._checks == Checks(now=self._checks.now):
            self._fetcher.report(Note(_UNPINNED))

    def judge_metadata(self, repomd: bytes, signature: bytes | None, fault: str | None) -> None:
        """Judge repomd.xml by its signature, None where there is none, or where `fault` says why it cannot be had.

        `UntrustedError` where it is refused, `UpstreamError` where a signature that is required cannot be had.
        """
        self._metadata_policy = self._metadata_policy_where(signed=bool(signature or fault) or self._signed_before)
        if self._policy == "off" and self._metadata_policy == "off":
            return
        self._judge = Judge().__enter__()
        self._keys = tuple(_read(self._judge, self._checks.keys))
        if self._metadata_policy != "off":
            self._metadata = self._judged(self._judge, repomd, signature, fault)
        self._summed(())

    def admit(self, path: str, repomd: bytes, signature: bytes | None) -> None:
        """Judge the repomd.xml at a path within the tree as the main one; `UntrustedError` where it is refused.

        Where nobody asks for a signature of the main one, and it has none, others need none either.
        """
        if self._judge is not None and self._metadata_policy != "off":
            self._let_pass(path, self._by_signature(self._judge, repomd, signature))

    def admit_kept(self, path: str, entries: Mapping[str, Entry]) -> None:
        """Do as `admit` with a repomd.xml that was kept as a file, by the signature that was kept beside it."""
        if self._judge is not None and self._metadata_policy != "off":
            opened, now = self._fetcher.sink.open, self._checks.now
            self._let_pass(path, judge_repomd(path, entries, opened, self._judge, keys=self._keys, now=now))

    def _let_pass(self, path: str, judged: Judged) -> None:
        said = f"{judged.verdict}: {judged.reason}"
        if is_refused(judged, self._metadata_policy):
            raise UntrustedError(said, where=shown(path))
        if judged.verdict != "good":
            self._fetcher.report(Warned(said, shown(path)))

    def judge_packages(
        self, entries: Mapping[str, Entry], listed: Called, before: Callable[[], Called]
    ) -> list[LeftOut]:
        """Judge the packages among what was had; `listed` are those that the metadata name. Give what is refused.

        `before` reads what the metadata of the snapshot before named: a package that is named anew is judged again.

        `UntrustedError` where that is each of them.
        """
        if self._policy == "off":
            return []
        self._listed, self._listed_before = listed, before
        found = list(self._found(entries, {path for path in entries if path.endswith(_PACKAGE)}.union(listed)))
        outcome = self._summed(found)
        refused = [
            LeftOut(path, f"{one.verdict}: {one.reason}") for path, one in found if is_refused(one, self._policy)
        ]
        if refused and len(refused) == len(found):
            raise UntrustedError(
                f"none of {count_text(len(found), 'package')} is signed by a pinned key",
                where=shown(self._fetcher.upstream.url),
                hint=_HINT.format("gpgcheck"),
                problems=list(problems(outcome)),
            )
        for one in problems(outcome) if self._policy == "warn" else ():
            self._fetcher.report(Warned(one.message, shown(one.where)))
        return refused

    @property
    def _signed_before(self) -> bool:
        """Say whether upstream is known to sign its metadata."""
        before = self._previous
        judged = before.trust.metadata if before and before.trust else None
        return before is not None and (before.signed_metadata or (judged is not None and judged.verdict != "unsigned"))

    def _metadata_policy_where(self, *, signed: bool) -> Policy:
        return metadata_policy_in_force(self._checks.repo_gpgcheck, pinned=bool(self._checks.keys), signed=signed)

    def _judged_alike(self, before: Outcome) -> bool:
        """Say whether packages were judged before by the policy and the keys of now."""
        try:
            keys = {one for data in self._checks.keys for one in fingerprints(data)}
        except FormatError:
            return False
        return before.policy == self._policy and before.keys == tuple(sorted(keys))

    def _judged(self, judge: Judge, repomd: bytes, signature: bytes | None, fault: str | None) -> Judged:
        """Judge the metadata, and refuse them where the policy says so."""
        judged = self._by_signature(judge, repomd, signature)
        where = shown(f"{self._fetcher.upstream.url}: {REPOMD}")
        if self._metadata_policy == "require" and fault:
            raise UpstreamError(f"its signature cannot be had: {fault}", where=where)
        if is_refused(judged, self._metadata_policy):
            said = f"expected a good signature by a pinned key, found: {judged.verdict}: {judged.reason}"
            raise UntrustedError(said, where=where, hint=_HINT.format("repo-gpgcheck"))
        if judged.verdict != "good":
            self._fetcher.report(Warned(f"{judged.verdict}: {judged.reason}", REPOMD))
        return judged

    def _by_signature(self, judge: Judge, repomd: bytes, signature: bytes | None) -> Judged:
        if signature is None:
            return _NO_SIGNATURE
        return judge.judge_detached(repomd, signature, self._keys, now=self._checks.now)

    def _found(self, entries: Mapping[str, Entry], named: set[str]) -> Iterator[tuple[str, Judged]]:
        """Judge what is named as a package, and what else begins as one, but for deltas: of these rpm installs none."""
        opened, deltas = self._fetcher.sink.open, self._known_deltas()
        others = [one for path, one in entries.items() if path not in named and one not in deltas]
        paths = {one.path for one in others if begins_as_package(opened, one)} | (entries.keys() & named)
        for path, judged in self._all(entries[path] for path in sorted(paths)):
            if path in named or judged.reason != DELTA or not path.endswith(_DELTA):
                yield path, judged

    def _known_deltas(self) -> set[Entry]:
        """Give files of the snapshot before that are named as deltas: what was refused is in no snapshot."""
        before = self._previous
        if before is None or before.trust is None or self._policy != "require" or not self._judged_alike(before.trust):
            return set()
        return {one for one in before.tree.entries if one.path.endswith(_DELTA)}

    def _all(self, packages: Iterable[Entry]) -> Iterator[tuple[str, Judged]]:
        """Judge packages, those that were good before by looking at the snapshot before."""
        known, new = self._known_good(), list[Entry]()
        for one in packages:
            if (judged := known.get(one)) is not None:
                yield one.path, judged
            else:
                new.append(one)
        yield from self._anew(new) if new else ()

    def _known_good(self) -> dict[Entry, Judged]:
        """Map packages of the snapshot before that are known to be good. Who signed which is known where one did all.

        What was refused is in no snapshot; of what was taken with a warning, only the first is named.
        """
        before = self._previous
        if before is None or before.trust is None or not self._judged_alike(before.trust):
            return {}
        trust = before.trust
        if len(trust.signers) != 1 or (trust.policy != "require" and trust.unnamed):
            return {}
        good = Judged("good", trust.signers[0].key)
        excepted = {one.path for one in trust.exceptions}
        listed, entries = self._listed_before(), before.tree.entries
        excepted |= {path for path, nevra in self._listed.items() if listed.get(path) != nevra}
        return {one: good for one in entries if one.path.endswith(_PACKAGE) and one.path not in excepted}

    def _anew(self, packages: list[Entry]) -> Iterator[tuple[str, Judged]]:
        fetcher = self._fetcher
        fetcher.report(Started(PHASE, len(packages), sum(one.size for one in packages)))
        files = [
            PackageFile(one.path, one.size, partial(fetcher.sink.open, one.sha256), self._listed.get(one.path, ()))
            for one in packages
        ]
        with closing(self._verdicts(files)) as judged:
            for file, found in zip(files, judged, strict=True):
                fetcher.report(Advanced(1, file.size))
                yield found
        fetcher.report(Finished(PHASE))

    def _verdicts(self, files: list[PackageFile]) -> Generator[tuple[str, Judged], None, None]:
        """Have few judged by the child that is there already, which is sooner than two that have to start."""
        if self._judge is not None and len(files) <= _FEW and sum(file.size for file in files) <= _FEW_BYTES:
            verdicts = self._judge.judge_batch(files, self._keys, now=self._checks.now)
            yield from zip((file.path for file in files), verdicts, strict=True)
        else:
            yield from judge_packages(files, self._keys, now=self._checks.now)

    def _summed(self, judged: Iterable[tuple[str, Judged]]) -> Outcome:
        self.outcome = outcome_of(
            judged,
            {key.fingerprint for key in self._keys},
            policy=self._policy,
            metadata_policy=self._metadata_policy,
            metadata=self._metadata,
        )
        return self.outcome


def _read(judge: Judge, files: Iterable[bytes]) -> Iterator[VendorKey]:
    """Read files of pinned keys; one that cannot be used any more stops the sync, for it was to decide."""
    for data in files:
        try:
            yield from judge.read_keys(data, where="a pinned key")
        except FormatError as cause:
            raise FormatError(cause.message, where="a pinned key", hint="issmedia repo show says which") from cause
