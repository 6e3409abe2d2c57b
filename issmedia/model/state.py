"""States: which tree each repository has, had, or has elsewhere. A delta starts from some; `diff` compares two."""

from collections.abc import Mapping

import msgspec

from issmedia.base.digest import Digest
from issmedia.model.manifest import BaseEntry, Manifest


class State(msgspec.Struct, frozen=True):
    """What somebody holds at a moment: PRODUCT/REPO → digest of its tree; `entry` is what a manifest says of it."""

    entry: BaseEntry
    trees: Mapping[str, Digest]

    @property
    def name(self) -> str:
        """Name it for people."""
        return self.entry.name


def bundle_state(bundle: Digest, manifest: Manifest) -> State:
    """Give the state that a bundle brings."""
    entry = BaseEntry("bundle", manifest.chain, manifest.created, bundle, manifest.sequence, None, None)
    return State(entry, {repo.path: repo.tree for repo in manifest.repositories})


def snapshot_state(name: str, created: str, trees: Mapping[str, Digest]) -> State:
    """Give the state of a site's own snapshots; `created` is RFC 3339 UTC."""
    return State(BaseEntry("snapshot", name, created, None, None, None, None), trees)
