"""Which blobs must travel: all of the target's that no base tree holds."""

from collections.abc import Iterable, Sequence

from issmedia.base.digest import Digest
from issmedia.model.manifest import Count
from issmedia.model.tree import Tree, blobs_of


def needed(trees: Iterable[Tree], bases: Sequence[Sequence[Tree]] = ()) -> dict[Digest, int]:
    """Subtract what every base holds. Each base is the trees of one site's state; a full bundle has none.

    With several bases the answer is what *any* of them lacks, so one bundle serves sites in different states.
    """
    wanted = blobs_of(trees)
    held = [blobs_of(base) for base in bases]
    if not held:
        return wanted
    return {digest: size for digest, size in wanted.items() if not all(digest in one for one in held)}


def count(blobs: dict[Digest, int]) -> Count:
    """Count blobs and their bytes."""
    return Count(len(blobs), sum(blobs.values()))
