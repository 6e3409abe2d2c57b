"""Media that misbehave: a volume whose files are counted, and answer as they are told."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType

from issmedia.base.beneath import BeneathFile
from issmedia.base.errors import NotIntactError
from issmedia.base.events import ignore
from issmedia.bundle.reader import DirectoryVolume
from issmedia.content.yum.content import YUM
from issmedia.content.yum.recheck import recheck
from issmedia.depot.keyring import Keyring
from issmedia.model.manifest import UnverifiedBundle, UnverifiedVolume
from issmedia.ops.imports import Imported, import_bundle
from issmedia.ops.verify import verify
from tests.makers.sites import Site
from tests.makers.sshkeys import NOW
from tests.makers.streams import giving, some, whole

Answer = Callable[[BeneathFile, int], bytes]
"""Reads up to so many bytes of an opened file, or lies, or raises what a device raises."""


@dataclass
class Medium:
    """A `VolumeSource` over a good directory. `answers` maps a path to how it reads; `after` is called at each close.

    `opened` counts openings, `given` the bytes that were handed out.
    """

    volume: DirectoryVolume
    answers: dict[str, Answer] = field(default_factory=dict)
    after: Callable[[str], object] = lambda path: None
    opened: Counter[str] = field(default_factory=Counter)
    given: Counter[str] = field(default_factory=Counter)

    @property
    def device(self) -> int:
        """Be where the directory is."""
        return self.volume.device

    @contextmanager
    def open(self, path: str) -> Iterator["MediumFile"]:
        """Open a file, and count it."""
        self.opened[path] += 1
        with self.volume.open(path) as file:
            yield MediumFile(self, path, file)
        self.after(path)

    def stray(self, known: frozenset[str]) -> Iterator[str]:
        """List as the directory does."""
        return self.volume.stray(known)


class MediumFile:
    """A file of a `Medium`, open."""

    def __init__(self, medium: Medium, path: str, file: BeneathFile) -> None:
        self._medium = medium
        self._path = path
        self._file = file
        self.size = file.size
        self.identity = file.identity

    def readinto(self, buffer: memoryview, /) -> int:
        """Read as the medium was told."""
        answer = self._medium.answers.get(self._path, some)
        count = giving(partial(answer, self._file))(buffer) or 0
        self._medium.given[self._path] += count
        return count

    def pread(self, offset: int, size: int, /) -> bytes:
        """Read at a place as the file is."""
        return self._file.pread(offset, size)

    def __enter__(self) -> "MediumFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.__exit__(kind, value, trace)


def import_from(lab: Site, *media: Medium) -> Imported:
    """Verify and import what media give (`medium`, `medium 2`, …), as the command line does, without publishing."""
    head = [_whole(media[0].volume, name) for name in ("manifest.json", "manifest.json.sig")]
    names = ["medium", *(f"medium {number}" for number in range(2, len(media) + 1))]
    volumes = tuple(UnverifiedVolume(name, medium, head[0]) for name, medium in zip(names, media, strict=True))
    unverified = UnverifiedBundle(head[0], head[1], volumes)
    depot = lab.depot
    with depot.owned("import of a medium", now=NOW) as owned:
        bundle = verify(unverified, Keyring(depot.keyring), depot.state(), now=NOW, report=ignore)
        return import_bundle(bundle, owned, inventory=YUM.inventory, judge=recheck, now=NOW, workers=2, report=ignore)


def fails(code: int, *, after: int = 0) -> Answer:
    """Give an `Answer` that reads well `after` times and then fails with this errno, for good."""
    times = 0

    def answer(file: BeneathFile, size: int) -> bytes:
        nonlocal times
        times += 1
        if times > after:
            raise OSError(code, "the device says")
        return some(file, size)

    return answer


def refused_by(lab: Site, *media: Medium) -> NotIntactError:
    """See that an import from the media is refused and changes nothing; give the refusal."""
    before = lab.state()
    try:
        import_from(lab, *media)
    except NotIntactError as refusal:
        assert lab.state() == before
        assert list((lab.root / "store" / "incoming").iterdir()) == []
        return refusal
    raise AssertionError("the medium was believed")


def _whole(volume: DirectoryVolume, name: str) -> bytes:
    with volume.open(name) as file:
        return whole(file)
