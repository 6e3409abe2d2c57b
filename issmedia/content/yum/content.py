"""The content type of yum repositories."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from issmedia.content.base import ContentType
from issmedia.content.yum.inventory import inventory
from issmedia.content.yum.reader import Parser
from issmedia.content.yum.sync import sync

YUM = ContentType("yum", sync, inventory)
"""The content type of yum repositories."""


@contextmanager
def yum_at_work() -> Iterator[ContentType]:
    """Give the same for many documents: what parses them loads meanwhile, and only once."""
    with Parser() as parser:
        yield ContentType(YUM.name, partial(sync, parser=parser), partial(inventory, parser=parser))
