"""One moment of upstream: repomd.xml is read first and last, and what changed between is synced once more."""

from collections.abc import Callable

from issmedia.base.errors import AbsentError, FormatError, UntrustedError, UpstreamError
from issmedia.base.events import Warned
from issmedia.content.base import Synced
from issmedia.content.yum.fetch import Fetcher
from issmedia.content.yum.reader import MAX_REPOMD
from issmedia.content.yum.wanted import REPOMD
from issmedia.model.names import shown

_MOMENTS = 2


def in_one_moment(fetcher: Fetcher, attempt: Callable[[bytes], Synced]) -> Synced:
    """Give what `attempt` makes of a repomd.xml that is still the same afterwards; it is called twice at most.

    `UpstreamError` where upstream changed each time. An attempt that finds nothing new is believed at once.
    """
    repomd = _repomd(fetcher)
    for _ in range(_MOMENTS):
        try:
            found = attempt(repomd)
        except (UpstreamError, FormatError, UntrustedError):
            if (now := _repomd_now(fetcher, repomd)) == repomd:
                raise
        else:
            if found.unchanged or (now := _repomd_now(fetcher, repomd)) == repomd:
                return found
        fetcher.report(Warned("upstream changed while it was read", where=REPOMD))
        repomd = now
    raise UpstreamError(
        f"upstream changed each of the {_MOMENTS} times it was read",
        where=shown(fetcher.upstream.url),
        hint="sync again when upstream has been published; nothing was changed, and what was fetched is kept",
    )


def _repomd(fetcher: Fetcher) -> bytes:
    try:
        return fetcher.whole(REPOMD, MAX_REPOMD)
    except AbsentError as cause:
        raise UpstreamError(
            f"no yum repository: {REPOMD}: {cause.message}",
            where=shown(fetcher.upstream.url),
            hint="give the directory or URL that holds repodata/",
        ) from cause


def _repomd_now(fetcher: Fetcher, before: bytes) -> bytes:
    """Read it again; an upstream that is gone by now, or gives none, did not change."""
    try:
        return _repomd(fetcher)
    except UpstreamError:
        return before
