"""What an export asks of the content type; it is loaded when the first question comes, which most exports never ask.

A full bundle on one volume carries the repositories as they are. To load what makes repodata takes longer than to plan.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache

from issmedia.base.digest import Digest
from issmedia.base.events import Report
from issmedia.bundle.laying import Describe, Made
from issmedia.depot.depot import Depot
from issmedia.model.tree import Tree
from issmedia.ops.exports import Describing


@contextmanager
def describing(depot: Depot, order: str, report: Report) -> Iterator[Describing]:
    """Have repodata made for parts of repositories; find what is urgent only where `order` asks for it."""
    with ExitStack() as at_work:

        @cache
        def loaded() -> Describe:
            from issmedia.content.yum.describing import describing_yum

            return at_work.enter_context(describing_yum(depot.store.open, report))

        def urgent(trees: Mapping[str, Tree]) -> frozenset[Digest]:
            from issmedia.content.yum.urgent import urgent_packages

            return urgent_packages(trees, depot.store.open, report)

        def describe(tree: Tree, shares: Sequence[Mapping[str, str]], moment: str) -> Sequence[Sequence[Made]]:
            return loaded()(tree, shares, moment)

        yield Describing(describe, urgent) if order == "severity" else Describing(describe)
