"""Repositories that lie within a kickstart tree: those of its other variants, as `AppStream/` beside `BaseOS/`.

They are mirrored as files of the tree: what their metadata name is wanted below their path. What is wrong with one is
told, and the rest of the tree stands; so it is where its repomd.xml is not signed as the main one must be. A variant
whose repository lies elsewhere is a repository of its own.
"""

from collections.abc import Callable

from issmedia.base.errors import AbsentError, FormatError, UntrustedError, UpstreamError
from issmedia.content.base import Expected
from issmedia.content.yum.fetch import Fetcher
from issmedia.content.yum.inventory import KEY, SIGNATURE, require_primary, unpacked_as
from issmedia.content.yum.nested import listed_in, record_in
from issmedia.content.yum.reader import MAX_REPOMD, Parser
from issmedia.content.yum.wanted import REPOMD, Wanted, want_packages, want_records
from issmedia.model.names import shown
from issmedia.model.tree import Entry

_MAX_SMALL = 1 << 20
"""Bytes of a signature, or of a file of keys."""

Admit = Callable[[str, bytes, bytes | None], None]
"""Judges the repomd.xml at a path by its signature, None where there is none; `UntrustedError` where it is refused."""


def want_variant(path: str, wanted: Wanted, fetcher: Fetcher, parser: Parser, *, admit: Admit) -> list[Entry]:
    """Want what the repository at a path names; give what was fetched to know it. Whatever is wrong is left out."""
    repomd = f"{path}/{REPOMD}"
    try:
        return _want(_admitted(path, fetcher, admit), path, wanted, fetcher, parser=parser)
    except (UpstreamError, FormatError, UntrustedError) as error:
        wanted.files.pop(repomd, None)
        wanted.leave_out(repomd, error.message)
        return []


def _admitted(path: str, fetcher: Fetcher, admit: Admit) -> dict[str, bytes]:
    """Read repomd.xml, and what goes with it; each once, so that what is judged is what is parsed and kept."""
    repomd = f"{path}/{REPOMD}"
    found = {repomd: fetcher.whole(repomd, MAX_REPOMD)}
    for name in (f"{path}/{SIGNATURE}", f"{path}/{KEY}"):
        try:
            found[name] = fetcher.whole(name, _MAX_SMALL)
        except AbsentError:
            continue
    admit(repomd, found[repomd], found.get(f"{path}/{SIGNATURE}"))
    return found


def _want(admitted: dict[str, bytes], path: str, wanted: Wanted, fetcher: Fetcher, *, parser: Parser) -> list[Entry]:
    kept = [_kept(name, data, wanted, fetcher) for name, data in admitted.items()]
    with fetcher.sink.open(kept[0].sha256) as file:
        records = parser.records(file, where=shown(kept[0].path))
    primary = require_primary(want_records([record_in(f"{path}/", one) for one in records], wanted), wanted)
    kept.append(fetcher.one(primary.href, wanted.files[primary.href]))
    with fetcher.sink.open(kept[-1].sha256) as file:
        listed = parser.packages(file, unpacked_as(primary), where=shown(primary.href))
    want_packages((listed_in(f"{path}/", one) for one in listed), wanted)
    return kept


def _kept(path: str, data: bytes, wanted: Wanted, fetcher: Fetcher) -> Entry:
    entry = fetcher.keep(path, data)
    wanted.add(path, Expected(entry.size, ("sha256", entry.sha256)))
    return entry
