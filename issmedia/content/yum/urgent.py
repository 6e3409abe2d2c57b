"""What an export lets travel first: packages that repair what security advisories tell of, and what these need.

It is an order of travel: where it cannot be told what is needed, as requirements are hostile or cannot be read, that is
said, and the repairing packages alone go first.
"""

from collections.abc import Mapping, Set

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError
from issmedia.base.events import Report, Warned
from issmedia.content.yum.dependencies import with_needed
from issmedia.content.yum.documents import Documents
from issmedia.content.yum.inventory import Open
from issmedia.content.yum.reader import Parser
from issmedia.content.yum.solver import Solver
from issmedia.model.package import nevra_key
from issmedia.model.tree import Tree


def urgent_packages(
    trees: Mapping[str, Tree], open_blob: Open, report: Report, *, solver: Solver | None = None
) -> frozenset[Digest]:
    """Give the blobs of what security advisories name, with all that these packages need from any of the trees.

    Names of trees are for warnings.
    """
    with Parser() as parser:
        wanted = {name: _security(name, tree, open_blob, parser, report=report) for name, tree in trees.items()}
        chosen: Mapping[str, Set[str]] = wanted
        try:
            if any(wanted.values()):
                chosen = with_needed(trees, open_blob, wanted, parser=parser, solver=solver)
        except FormatError as cause:
            report(Warned(f"security updates go first without what they need: {cause.message}", cause.where))
    return frozenset(
        entry.sha256 for name, tree in trees.items() for entry in tree.entries if entry.path in chosen[name]
    )


def security_packages(tree: Tree, open_blob: Open, *, parser: Parser) -> frozenset[str]:
    """Give the hrefs of packages that security advisories name; `FormatError` where what tells so cannot be read."""
    documents = Documents(tree, open_blob, parser)
    record = documents.record("updateinfo")
    if record is None:
        return frozenset()
    with documents.opened(record) as (file, unpacked, where):
        told = parser.concerned(file, unpacked, where=where)
    named = {nevra for one in told if one.advisory.kind == "security" for nevra in one.packages}
    packages = documents.packages() if named else ()
    return frozenset(
        one.href for one in packages if nevra_key(one.name, one.epoch, one.version, one.release, one.arch) in named
    )


def _security(name: str, tree: Tree, open_blob: Open, parser: Parser, *, report: Report) -> frozenset[str]:
    try:
        return security_packages(tree, open_blob, parser=parser)
    except FormatError as cause:
        where = f"{name}: {cause.where}" if cause.where else name
        report(Warned(f"its advisories cannot be read, none of it goes first: {cause.message}", where))
        return frozenset()
