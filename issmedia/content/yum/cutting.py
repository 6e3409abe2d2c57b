"""Which slices each document of repodata has, and how each is said. Runs in the parsing child."""

from collections.abc import Callable, Iterator

from issmedia.base.errors import FormatError
from issmedia.content.yum.parsed import Job, Kind, Say, Slice
from issmedia.content.yum.parts import advisory_slice, comps_slice
from issmedia.content.yum.slices import Slicer, WellFormed, href_of, pkgid_of
from issmedia.content.yum.unpack import Read, unpack

_NAMES: dict[Kind, tuple[bytes, ...]] = {
    "primary": (b"package",),
    "filelists": (b"package",),
    "other": (b"package",),
    "updateinfo": (b"update",),
    "group": (b"group", b"category", b"environment", b"langpacks"),
}
"""The elements that are slices of each document that is XML."""

_KEYS: dict[Kind, Callable[[bytes], str]] = {"primary": href_of, "filelists": pkgid_of, "other": pkgid_of}
_DESCRIBED: dict[Kind, Callable[[bytes], Slice]] = {"updateinfo": advisory_slice, "group": comps_slice}

_HEAD = b'<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm">'


def say_slices(read: Read, say: Say, job: Job) -> None:
    """Say the slices of a document that are wanted, while it is unpacked."""
    if job.kind == "modules":
        for piece, data in _module_slices(read, job):
            say(piece, data)
        return
    _cut(read, say, job)


def unpack_wanted(read: Read, write: Callable[[bytes], object], job: Job) -> None:
    """Unpack a primary.xml that holds no package but those wanted."""
    write(_HEAD)
    _cut(read, lambda _, found=b"": write(found), job)
    write(b"</metadata>")


def _cut(read: Read, say: Say, job: Job) -> None:
    whole = WellFormed()
    describe = _describing(job)

    def take(found: bytes) -> None:
        if piece := describe(found):
            whole.feed(found)
            say(piece, found)

    slicer = Slicer(_NAMES[job.kind], take)
    unpack(read, slicer.feed, job)
    slicer.finish()
    whole.finish()


def _describing(job: Job) -> Callable[[bytes], Slice | None]:
    """Give what describes an element, unless it is not wanted."""
    if describe := _DESCRIBED.get(job.kind):
        names = [name.encode() for name in job.wanted or ()]
        return lambda found: describe(found) if job.wanted is None or any(name in found for name in names) else None
    key_of, wanted = _KEYS[job.kind], frozenset(job.wanted or ())

    def described(found: bytes) -> Slice | None:
        key = key_of(found)
        return Slice(len(found), key) if job.wanted is None or key in wanted else None

    return described


def _module_slices(read: Read, job: Job) -> Iterator[tuple[Slice, bytes]]:
    from issmedia.content.yum.modulemd import module_slices  # YAML, which most documents are spared

    pieces: list[bytes] = []
    unpack(read, pieces.append, job)
    try:
        text = b"".join(pieces).decode()
    except UnicodeError as cause:
        raise FormatError(f"not YAML: {cause}") from cause
    return module_slices(text)
