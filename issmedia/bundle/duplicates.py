"""Second copies of volumes, given beside the first: read only where a file of the first could not be had."""

from collections.abc import Collection, Iterator

from msgspec.structs import replace

from issmedia.base.digest import Digest
from issmedia.base.errors import Problem
from issmedia.base.events import Report
from issmedia.bundle.payload import Blob, Listings, blobs_on, pass_payload
from issmedia.bundle.taking import Keep
from issmedia.model.manifest import VerifiedBundle
from issmedia.model.names import shown


def blobs_on_copies(bundle: VerifiedBundle, listings: Listings) -> list[Blob]:
    """List every blob that the second copies declare; their listings too, whichever copy of these was read."""
    return blobs_on(replace(bundle, volumes=bundle.copies), replace(listings, read=frozenset()))


def pass_copies(
    bundle: VerifiedBundle, listings: Listings, lacking: Collection[Digest], keep: Keep, *, workers: int, report: Report
) -> list[Problem]:
    """Have `keep` take what the first copies could not give; return every bad file. Nothing else is read."""
    blobs = [blob for blob in blobs_on_copies(bundle, listings) if blob.sha256 in lacking] if lacking else []
    return pass_payload(blobs, keep, workers=workers, report=report, phase="reading copies") if blobs else []


def files_of(bundle: VerifiedBundle, digests: Collection[Digest]) -> Iterator[str]:
    """Say, as problems do, where files with these digests lie, or should."""
    for volume in (*bundle.volumes, *bundle.copies):
        yield from (f"{volume.where}: {shown(path)}" for path, one in volume.index.items() if one in digests)
