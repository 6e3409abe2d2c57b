"""Yum repositories: repodata and the packages it lists."""

from issmedia.content.base import ContentType
from issmedia.content.yum.inventory import inventory
from issmedia.content.yum.sync import sync

YUM = ContentType("yum", sync, inventory)
"""The content type of yum repositories."""
