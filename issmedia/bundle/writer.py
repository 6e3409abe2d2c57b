"""Plan + store → volume. Every byte is hashed as it is written; nothing half-made looks whole.

The order of writing is `bundle.placing`'s; the signatures are made before the payload is written, and `finish_volume`
is called when the catalog knows of the bundle. Killed anywhere, the same command re-hashes what is there and goes on.
"""

from io import FileIO
from pathlib import Path

from issmedia.base import files
from issmedia.base.digest import Sink, copy_and_hash
from issmedia.base.errors import DepotError
from issmedia.base.events import Report
from issmedia.bundle.placing import Fill, Placing
from issmedia.bundle.volume import Plan, PlannedFile, PlannedVolume
from issmedia.depot.store import Store, damaged


def write_volume(
    plan: Plan,
    volume: PlannedVolume,
    store: Store,
    directory: Path,
    *,
    signatures: bytes,
    workers: int,
    report: Report,
) -> None:
    """Execute the plan for one volume, but for its last rename; `signatures` are the manifest's, armored.

    `DamagedBlobError` names a blob that rotted in the store; what was written stays for the next run.
    """
    try:
        placing = Placing(volume, plan.manifest_bytes, directory, _filler(store), report=report)
        placing.place(signatures, phase="writing", workers=workers)
    except OSError as cause:
        raise files.system_error(cause, str(directory)) from cause


def _filler(store: Store) -> Fill:
    """Take what was planned from its content, or from the store."""

    def fill(file: PlannedFile, out: files.Staged) -> None:
        if file.content is not None:
            out.write(file.content)
        else:
            copy_payload(file, store, out)

    return fill


def open_payload(file: PlannedFile, store: Store) -> FileIO:
    """Open the blob of a planned file; of a part, at its beginning: what follows is not of it."""
    blob = store.open(file.part.blob if file.part else file.sha256)
    if file.part:
        blob.seek(file.part.offset)
    return blob


def copy_payload(file: PlannedFile, store: Store, sink: Sink) -> None:
    """Copy it to `sink`; `DepotError` names the file, and the blob that rotted or is gone."""
    with open_payload(file, store) as blob:
        most = file.size - 1 if file.part else file.size
        found, size, _ = copy_and_hash(blob.readinto, sink, limit=most)
    if found != file.sha256 or size != file.size:
        rotten = damaged(file.sha256, found)
        raise DepotError(rotten.message, where=f"{file.path} ({rotten.where})", hint=rotten.hint) from rotten
