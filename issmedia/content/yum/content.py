"""The content type of yum repositories."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from issmedia.content.base import Choice, ContentType, Sync, Unmet
from issmedia.content.yum.dependencies import unmet
from issmedia.content.yum.inventory import Open, inventory
from issmedia.content.yum.reader import Parser
from issmedia.content.yum.selecting import sync_selection
from issmedia.content.yum.sync import sync
from issmedia.model.tree import Tree


def _yum(parser: Parser | None) -> ContentType:
    """Make the content type, with what parses for it; without, each call has its own."""

    def selecting(choice: Choice) -> Sync:
        return partial(sync_selection, choice=choice, parser=parser)

    def check(trees: Sequence[Tree], open_blob: Open, names: Sequence[str] = ()) -> list[list[Unmet]]:
        return unmet(trees, open_blob, parser=parser or Parser(), names=names)

    return ContentType("yum", partial(sync, parser=parser), selecting, partial(inventory, parser=parser), check)


YUM = _yum(None)
"""The content type of yum repositories."""


@contextmanager
def yum_at_work() -> Iterator[ContentType]:
    """Give the same for many documents: what parses them loads meanwhile, and only once."""
    with Parser() as parser:
        yield _yum(parser)
