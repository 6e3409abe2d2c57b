"""The content type of yum repositories. What only some syncs need is imported by them."""

from collections.abc import Sequence
from functools import partial

from issmedia.content.base import Choice, ContentType, Sync, Unmet
from issmedia.content.yum.inventory import Open, inventory
from issmedia.content.yum.reader import Parser
from issmedia.content.yum.sync import sync
from issmedia.model.tree import Tree


def content_type(parser: Parser | None) -> ContentType:
    """Make the content type, with what parses for many documents; without, each call has a parser of its own."""

    def selecting(choice: Choice) -> Sync:
        from issmedia.content.yum.selecting import sync_selection

        return partial(sync_selection, choice=choice, parser=parser)

    def check(trees: Sequence[Tree], open_blob: Open, names: Sequence[str] = ()) -> list[list[Unmet]]:
        from issmedia.content.yum.dependencies import unmet

        return unmet(trees, open_blob, parser=parser or Parser(), names=names)

    return ContentType("yum", partial(sync, parser=parser), selecting, partial(inventory, parser=parser), check)


YUM = content_type(None)
"""The content type of yum repositories."""
