"""Which blobs of a repository must travel: all of its tree's that some base lacks."""

from collections.abc import Iterable, Mapping, Sequence

from issmedia.base.digest import Digest
from issmedia.model.manifest import Count
from issmedia.model.tree import Tree, blobs_of


def needed(tree: Tree, bases: Sequence[Tree] = ()) -> dict[Digest, int]:
    """Subtract what every base holds; a full bundle is the plan with no base.

    With several bases the answer is what *any* of them lacks, so one bundle serves sites in different states.
    """
    wanted = blobs_of([tree])
    if not bases:
        return wanted
    held = _shared(bases)
    return {digest: size for digest, size in wanted.items() if digest not in held}


def gone(tree: Tree, bases: Sequence[Tree]) -> dict[Digest, int]:
    """Give the blobs that a base holds and the tree does not."""
    stays = {entry.sha256 for entry in tree.entries}
    return {digest: size for digest, size in blobs_of(bases).items() if digest not in stays}


def joined(parts: Iterable[Mapping[Digest, int]]) -> dict[Digest, int]:
    """Join blobs of several repositories, each once."""
    return {digest: size for part in parts for digest, size in part.items()}


def count(blobs: Mapping[Digest, int]) -> Count:
    """Count blobs and their bytes."""
    return Count(len(blobs), sum(blobs.values()))


def _shared(bases: Sequence[Tree]) -> set[Digest]:
    """Give the blobs that every base holds."""
    return set.intersection(*({entry.sha256 for entry in base.entries} for base in bases))
