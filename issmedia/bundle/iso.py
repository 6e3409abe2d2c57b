"""A planned volume → an ISO image, written by xorriso straight from the store's blobs.

ISO 9660 level 3 with Rock Ridge and Joliet. Nothing in the image depends on when, where or by whom it is made: all
times are the bundle's, all files belong to root, and a blob at several paths has one extent.

What xorriso reads is a directory of links that stands in the store while it does: one for each file, and the few files
that are made here, and parts of split blobs. A list of grafts would do without, but for each of its lines xorriso
searches the directory from its beginning: minutes for 33,000 files, where links cost a second. What it makes it writes
to the file of the image itself, which is compared with the plan as it grows.

    LABEL.iso.partial    whole, compared with the plan and durable; the catalog need not know of the bundle yet
    LABEL.iso            the same, by one rename: `finish_image`
    .tmp-<32 hex>        an image under way; swept by the next run, as are the links

Killed anywhere, the same call goes on: an image that is whole under one of its names is kept, else it is made anew.
"""

import calendar
import contextlib
import errno
import os
import re
import stat
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from issmedia.base import files
from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import DepotError, FormatError, IssmediaError, MiscountedError, NotIntactError, UsageError
from issmedia.base.events import Advanced, Finished, Note, Report, Started
from issmedia.bundle import xorriso
from issmedia.bundle.comparison import Difference, differences
from issmedia.bundle.growing import AGAIN, compared, growth, missized
from issmedia.bundle.image import ImageVolume
from issmedia.bundle.volume import PlannedFile, PlannedVolume
from issmedia.bundle.writer import copy_payload
from issmedia.depot.store import Store
from issmedia.model.names import shown

SECTOR = 2048
"""Bytes of a sector; an image is a whole number of them."""

Extra = Sequence[tuple[str, bytes]]
"""What a volume holds beside its planned files, path and bytes: manifest, signatures, `SHA256SUMS`."""

_PLACE = "incoming"
"""Where in the store links stand: it is swept by whoever adds blobs too."""

_LONG_NAME = 120
"""From more bytes than this on, a name does not fit into its directory's record."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_LABEL = re.compile(r"[A-Z0-9_]{1,32}")


class ImageFacts(msgspec.Struct, frozen=True):
    """What an image says of itself: its volume id, and the `moment` (RFC 3339 UTC) of everything in it.

    `program` is the xorriso that makes it.
    """

    label: str
    moment: str
    program: str = xorriso.PROGRAM


class ImageTree(msgspec.Struct, frozen=True):
    """A directory with links to every planned file of an image, at the image's paths."""

    root: Path
    facts: ImageFacts
    planned: Sequence[PlannedFile]

    @contextlib.contextmanager
    def made(self, output: int = xorriso.PIPE) -> Iterator[xorriso.Running]:
        """Have xorriso make the image, to be read or in the file that is open as `output`, while the block runs."""
        try:
            with xorriso.running(self._call(options_of(self.facts), output=output)) as child:
                yield child
        except MiscountedError as cause:
            raise _crowded(self.planned, cause) from cause

    def size(self) -> int:
        """Ask xorriso for the bytes of the image, without making it; they do not depend on the times in it."""
        return int(xorriso.answer(self._call([*_shape(self.facts), "-print-size"])).strip()) * SECTOR

    def _call(self, options: Sequence[str], *, output: int = xorriso.PIPE) -> xorriso.Call:
        return xorriso.Call([*options, str(self.root)], self.facts.program, _epoch(self.facts.moment), output=output)


def options_of(facts: ImageFacts) -> list[str]:
    """Say to xorriso how the image shall be."""
    return [*_shape(facts), *_times(facts.moment)]


def predicted_size(volume: PlannedVolume, extra: Extra, store: Store, *, facts: ImageFacts) -> int:
    """Give the bytes of the image exactly, before it is made. Under the depot's lock."""
    try:
        with image_tree(planned_files(volume, extra), store, facts=facts) as tree:
            return tree.size()
    except OSError as cause:
        raise files.system_error(cause, str(store.root)) from cause


def write_image(
    volume: PlannedVolume,
    extra: Extra,
    store: Store,
    target: Path,
    *,
    facts: ImageFacts,
    workers: int,
    report: Report,
) -> None:
    """Make the image of a volume, but for its last rename; one that is whole already is kept.

    `UsageError` before anything is written where it is larger than the volume's medium. `DepotError` names a blob that
    rotted in the store: every file is read back from the image and compared with the plan.
    """
    planned = planned_files(volume, extra)
    try:
        files.make_directory(target.parent)
        files.sweep(target.parent, shared=True)
        sweep_trees(store)
        if not _is_kept(target, planned, workers, report):
            with image_tree(planned, store, facts=facts) as tree:
                size = tree.size()
                require_fits(size, volume, target)
                files.require_space(target.parent, size)
                _write(tree, size, target, planned, store=store, workers=workers, report=report)
            files.fsync_directory(target.parent)
    except OSError as cause:
        raise files.system_error(cause, str(target)) from cause


def finish_image(target: Path) -> None:
    """Give an image its name: from this moment it is an image of the bundle."""
    try:
        if partial(target).exists():
            files.rename(partial(target), target)
        files.fsync_directory(target.parent)
    except OSError as cause:
        raise files.system_error(cause, str(target)) from cause


def partial(target: Path) -> Path:
    """Say what an image is called until the catalog knows of its bundle."""
    return target.with_name(f"{target.name}.partial")


def planned_files(volume: PlannedVolume, extra: Extra) -> tuple[PlannedFile, ...]:
    """List all files of an image, sorted by path."""
    made = (PlannedFile(path, digest_of(data), len(data), data) for path, data in extra)
    return tuple(sorted((*volume.files, *made), key=lambda file: file.path))


@contextlib.contextmanager
def image_tree(planned: Sequence[PlannedFile], store: Store, *, facts: ImageFacts) -> Iterator[ImageTree]:
    """Lay out an image as links below the store while the block runs. Under the depot's lock."""
    _require_label(facts.label)
    root = files.temporary_name(store.root / _PLACE)
    try:
        files.make_directory(root, 0o700)
        _fill(root, planned, store)
        yield ImageTree(root, facts, planned)
    finally:
        files.remove_directory(root)


def sweep_trees(store: Store) -> None:
    """Remove what a killed run left in the store. Under the depot's lock, while nothing is added there."""
    if (store.root / _PLACE).is_dir():
        files.sweep(store.root / _PLACE)


def _is_kept(target: Path, planned: Sequence[PlannedFile], workers: int, report: Report) -> bool:
    """Keep an image of an earlier run, if it is whole."""
    for path in (target, partial(target)):
        if os.path.lexists(path) and _is_whole(path, planned, workers, report):
            report(Note(f"kept {shown(path.name)} of an earlier run, after re-hashing"))
            if path == target:
                files.unlink(partial(target))
            return True
    return False


def _is_whole(path: Path, planned: Sequence[PlannedFile], workers: int, report: Report) -> bool:
    try:
        with ImageVolume(path) as image:
            if differences(image, planned, workers=workers, report=report, phase="checking the image that is here"):
                return False
            return not any(image.stray(frozenset(file.path for file in planned)))
    except (FormatError, NotIntactError):
        return False


def require_fits(size: int, volume: PlannedVolume, target: Path) -> None:
    """Raise `UsageError` where an image of so many bytes is larger than its volume's medium."""
    capacity = volume.entry.capacity
    if capacity is not None and size > capacity:
        raise UsageError(
            f"the image of volume {volume.entry.label} would have {size:,} bytes, the medium has {capacity:,}",
            where=str(target),
            hint="export again with a larger --reserve or another --medium; nothing was written",
        )


def _write(
    tree: ImageTree,
    size: int,
    target: Path,
    planned: Sequence[PlannedFile],
    *,
    store: Store,
    workers: int,
    report: Report,
) -> None:
    """Have it written under a temporary name, comparing what is there meanwhile; then give it its partial name.

    What xorriso does after the last byte is to sleep for up to a second, so its end is not waited for: every file of
    the image was compared, and its size is as predicted.
    """
    with files.Staged(target.parent) as out:
        with tree.made(out.fd) as child, compared(Path(out.path), size, planned, workers) as image:
            report(Started("writing the image", None, size))
            there = 0
            for grown in growth(out, child, size):
                image.grow(grown)
                report(Advanced(0, grown - there))
                there = grown
            report(Finished("writing the image"))
        if (made := out.grown()) != size:
            raise missized(made, size)
        if image.found:
            raise _rotten(image.found[0], store)
        out.close(0o644, durable=True)
        files.rename(out.path, partial(target))


def _crowded(planned: Sequence[PlannedFile], cause: IssmediaError) -> IssmediaError:
    """Name the directory that xorriso most likely fails at: the one with the most long names."""
    parted = (file.path.rpartition("/") for file in planned)
    counted = Counter(parent for parent, _, name in parted if len(name.encode()) > _LONG_NAME)
    if not counted:
        return cause
    directory, count = counted.most_common(1)[0]
    return IssmediaError(
        f"has {count} names of more than {_LONG_NAME} bytes, which this xorriso miscounts: {cause.message}",
        where=directory or "/",
        hint="carry this volume as a directory, on a stick: export without --iso; or use a newer xorriso",
    )


def _rotten(difference: Difference, store: Store) -> DepotError:
    file, message = difference
    if file.content is None and file.file is None:
        where = f"{file.path} ({Path(store.path(file.sha256)).relative_to(store.root.parent)})"
        return DepotError(message, where=where, hint="issmedia audit sets it aside; then sync or import again")
    return DepotError(message, where=file.path, hint=AGAIN)


def _require_label(label: str) -> None:
    if not _LABEL.fullmatch(label):
        raise FormatError("a volume id is 1 to 32 of A-Z 0-9 _", where=shown(label))


def _fill(root: Path, planned: Sequence[PlannedFile], store: Store) -> None:
    """Put each file below `root`: what is made here as it is, the others as names of what lies elsewhere.

    One digest has one source, so that it has one extent.
    """
    files.require_space(root, files.space_for(file.size for file in planned if file.part))
    made = {""}
    sources: dict[Digest, str] = {}
    for file in sorted(planned, key=lambda one: one.content is None):
        parent = file.path.rpartition("/")[0]
        if parent not in made:
            files.make_directory(root / parent, 0o700)
            made.add(parent)
        target = f"{root}/{file.path}"
        if file.sha256 in sources:
            _name(sources[file.sha256], target)
        else:
            sources[file.sha256] = _put(file, target, store)


def _put(file: PlannedFile, target: str, store: Store) -> str:
    """Put a file's bytes, or a name of them, at `target`; give the path where they lie.

    A part of a blob is copied, the only payload that is: xorriso's way to take a piece of a file needs a list again.
    """
    if file.content is None and file.part is None:
        source = store.path(file.sha256) if file.file is None else str(file.file)
        _require_there(source, file, store)
        _name(source, target)
        return source
    with files.Staged(Path(target).parent, size=file.size) as out:
        if file.content is None:
            copy_payload(file, store, out)
        else:
            out.write(file.content)
        out.close(0o444, durable=False)
        files.rename(out.path, target)
    return target


def _name(source: str, target: str) -> None:
    """Give bytes a name in the tree. A symbolic link as long as these costs a block, so it is the second choice."""
    try:
        files.link(source, target)
    except OSError as cause:
        if cause.errno in _FULL:
            raise
        files.symlink(source, Path(target))


def _require_there(path: str, file: PlannedFile, store: Store) -> None:
    """Name what is gone before xorriso finds out, and follow no link of others; content is compared in the image."""
    try:
        facts = os.lstat(path)
    except FileNotFoundError:
        found = "is gone"
    else:
        found = f"has {facts.st_size} bytes" if stat.S_ISREG(facts.st_mode) else "is no regular file"
        if stat.S_ISREG(facts.st_mode) and facts.st_size == file.size:
            return
    raise _rotten((file, f"expected {file.size} bytes, but its source {found}"), store)


def _shape(facts: ImageFacts) -> list[str]:
    """Say how the image shall be, but for its times.

    `-r`: all is root's, to be read by all and written by none. `-D`: deep directories stay where they are. `-f`: links
    are followed. No zeros follow its end.
    """
    shape = [
        "-as",
        "mkisofs",
        "--no_rc",
        "-quiet",
        "-iso-level",
        "3",
        "-r",
        "-J",
        "-joliet-long",
        "-D",
        "-f",
        "-no-pad",
    ]
    return [*shape, "-input-charset", "UTF-8", "-output-charset", "UTF-8", "-V", facts.label]


def _times(moment: str) -> list[str]:
    """Set all times. Of a directory with n files this takes xorriso n² comparisons of names: 20 s for 33,000."""
    stamp = re.sub(r"\D", "", moment) + "00"
    return [f"--modification-date={stamp}", "--set_all_file_dates", stamp]


def _epoch(moment: str) -> int:
    return calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ"))
