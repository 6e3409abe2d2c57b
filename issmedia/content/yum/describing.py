"""Repodata for parts of repositories, and what goes first: what an export wants of yum."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError
from issmedia.base.events import Report, Warned
from issmedia.content.yum.closure import closure, security_packages
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


def urgent_packages(trees: Sequence[Tree], open_blob: Open, report: Report) -> frozenset[Digest]:
    """Give the blobs of what security advisories name, with all that these packages need from any of the trees."""
    with Parser() as parser:
        wanted = [_security(tree, open_blob, parser, report) for tree in trees]
        chosen = closure(trees, open_blob, wanted, parser=parser)
    return frozenset(
        entry.sha256 for tree, hrefs in zip(trees, chosen, strict=True) for entry in tree.entries if entry.path in hrefs
    )


def _security(tree: Tree, open_blob: Open, parser: Parser, report: Report) -> tuple[str, ...]:
    try:
        return security_packages(tree, open_blob, parser=parser)
    except FormatError as cause:
        report(Warned(f"its advisories cannot be read, none of it goes first: {cause.message}", cause.where))
        return ()
