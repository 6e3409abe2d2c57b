"""Repodata for parts of repositories, as an export wants them of yum."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from issmedia.base.errors import FormatError
from issmedia.base.events import Report, Warned
from issmedia.content.yum.inventory import Open
from issmedia.content.yum.made import MadeFile
from issmedia.content.yum.partial import Form, partial_repodata
from issmedia.content.yum.reader import Parser
from issmedia.model.tree import Tree

Describe = Callable[[Tree, Sequence[Mapping[str, str]], str], Sequence[Sequence[MadeFile]]]
"""Makes repodata of parts of a tree: path → href for each part, and the moment that dates them."""


@contextmanager
def describing_yum(open_blob: Open, report: Report) -> Iterator[Describe]:
    """Give what makes repodata for parts of repositories; where upstream's cannot be read it warns, and makes none."""
    with Parser() as parser:

        def describe(tree: Tree, shares: Sequence[Mapping[str, str]], moment: str) -> Sequence[Sequence[MadeFile]]:
            try:
                return partial_repodata(tree, open_blob, shares, parser=parser, form=Form(moment), report=report)
            except FormatError as cause:
                report(Warned(f"no repodata for a part of it: {cause.message}", cause.where))
                return [() for _ in shares]

        yield describe
