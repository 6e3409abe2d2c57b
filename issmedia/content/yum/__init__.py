"""Yum repositories: repodata and the packages it lists."""

from issmedia.content.base import ContentType
from issmedia.content.yum.inventory import inventory, is_signed
from issmedia.content.yum.sync import sync

YUM = ContentType("yum", sync, inventory, is_signed)
"""The content type of yum repositories."""
