"""What a bundle is planned from: its header, and the repositories as they shall be at the other side."""

import msgspec

from issmedia.base.digest import Digest
from issmedia.model.documents import LeftOut
from issmedia.model.judgement import Outcome
from issmedia.model.manifest import BaseEntry, ProductEntry, SiteName, Stored, Tool
from issmedia.model.tree import Tree


class Header(msgspec.Struct, frozen=True):
    """What the manifest says of the bundle besides its content."""

    site: SiteName
    destination: str | None
    sequence: int
    previous: Digest | None
    created: str
    expires: str | None
    notes: str
    tool: Tool
    bases: tuple[BaseEntry, ...] = ()


class RepositoryTarget(msgspec.Struct, frozen=True):
    """A repository as it shall be at the other side: its entry's facts, its tree, and the base trees it may start from.

    With several base trees the bundle carries what any of them lacks; with none it carries everything.
    """

    product: ProductEntry
    label: str
    name: str
    upstream: str | None
    taken: str
    signed_metadata: bool
    keys: tuple[Stored, ...]
    tree: Tree
    packages: int
    incomplete: tuple[LeftOut, ...]
    bases: tuple[Tree, ...] = ()
    trust: Outcome | None = None

    @property
    def path(self) -> str:
        """Write `PRODUCT/REPO`."""
        return f"{self.product.label}/{self.label}"
