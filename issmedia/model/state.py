"""States: which tree each repository has, had, or has elsewhere. A delta starts from some; `diff` compares two."""

from collections.abc import Mapping
from dataclasses import dataclass

from issmedia.base.digest import Digest
from issmedia.model.manifest import BaseEntry


@dataclass(frozen=True, slots=True)
class State:
    """What somebody holds at a moment: PRODUCT/REPO → digest of its tree; `entry` is what a manifest says of it."""

    entry: BaseEntry
    trees: Mapping[str, Digest]

    @property
    def name(self) -> str:
        """Name it for people."""
        return self.entry.name
