"""Which packages repair what advisories tell of, and which they need: what shall travel first.

An order of travel, not a solver: of each requirement one provider is taken, unless one is among the chosen already. It
is the one of the name that is required, else that of the first name; of the requirer's architecture, and the newest.
Of a rich requirement, as `(a if b)`, every name counts. What nobody provides is passed over.
"""

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import msgspec

from issmedia.base.errors import FormatError
from issmedia.content.yum.documents import Documents
from issmedia.content.yum.inventory import Open
from issmedia.content.yum.parsed import Related, Relation
from issmedia.content.yum.reader import Parser
from issmedia.model.evr import EVR, compare_evr, evr_key
from issmedia.model.package import nevra_key
from issmedia.model.tree import Tree

_SEVERITIES = ("critical", "important", "moderate", "low")
_SOURCES = ("src", "nosrc")
_OPERATORS = frozenset({"and", "or", "if", "unless", "else", "with", "without"})
_COMPARISONS = frozenset({"<", "<=", "=", ">=", ">"})
_AGREEING = {"EQ": (0,), "GE": (0, 1), "GT": (1,), "LE": (-1, 0), "LT": (-1,)}
"""Flags of a requirement → how a provider's version may compare with it."""

_MAX_RELATIONS = 8_000_000
"""Requirements, provides and files of all repositories together; sixty thousand packages have some two million."""


def security_packages(tree: Tree, open_blob: Open, *, parser: Parser) -> tuple[str, ...]:
    """List the hrefs of packages that security advisories name, most severe first, then in upstream's order."""
    documents = Documents(tree, open_blob, parser)
    record = documents.record("updateinfo")
    if record is None:
        return ()
    with documents.opened(record) as (file, unpacked, where):
        advisories = [one for one in parser.concerned(file, unpacked, where=where) if one.advisory.kind == "security"]
    ranks: dict[str, int] = {}
    for advisory in advisories:
        rank = _rank(advisory.advisory.severity)
        for nevra in advisory.packages:
            ranks[nevra] = min(rank, ranks.get(nevra, rank))
    hrefs: dict[str, int] = {}
    for one in documents.packages():
        nevra = nevra_key(one.name, one.epoch, one.version, one.release, one.arch)
        if nevra in ranks:
            hrefs[one.href] = ranks[nevra]
    return tuple(sorted(hrefs, key=hrefs.__getitem__))


def closure(
    trees: Sequence[Tree], open_blob: Open, wanted: Sequence[Collection[str]], *, parser: Parser
) -> list[frozenset[str]]:
    """Give for each tree the hrefs wanted of it, and those of all packages that they need, from any of the trees."""
    packages = _Packages()
    for number, tree in enumerate(trees):
        documents = Documents(tree, open_blob, parser)
        with (
            documents.opened(documents.primary) as (file, unpacked, where),
            closing(parser.related(file, unpacked, where=where)) as found,
        ):
            packages.add(number, (one for one in found if one.href in documents.entries), where=where)
    chosen = packages.chosen({(number, href) for number, hrefs in enumerate(wanted) for href in hrefs})
    return [frozenset(hrefs) | {href for at, href in chosen if at == number} for number, hrefs in enumerate(wanted)]


class _Package(msgspec.Struct, frozen=True):
    """A package that can be chosen: where it lies, and what it requires."""

    place: tuple[int, str]
    name: str
    arch: str
    evr: EVR
    requires: tuple[Relation, ...]


@dataclass(slots=True)
class _Packages:
    """All packages of all trees, by what they provide; equal relations are one object, which saves much memory."""

    by_place: dict[tuple[int, str], _Package] = field(default_factory=dict)
    _providers: dict[str, list[tuple[Relation, _Package]]] = field(default_factory=dict)
    _same: dict[Relation, Relation] = field(default_factory=dict)
    _relations: int = 0

    def add(self, number: int, found: Iterable[Related], *, where: str) -> None:
        """Add the packages of a tree; `FormatError` where they are related to too much."""
        for one in found:
            self._relations += len(one.requires) + len(one.provides) + len(one.files)
            if self._relations > _MAX_RELATIONS:
                raise FormatError(f"packages require and provide more than {_MAX_RELATIONS:,} things", where=where)
            requires = tuple(self._one(relation) for relation in one.requires if relation[0][:7] != "rpmlib(")
            evr = one.epoch, one.version, one.release
            package = _Package((number, one.href), one.name, one.arch, evr, requires)
            if self.by_place.setdefault(package.place, package) is package and one.arch not in _SOURCES:
                for relation in (*one.provides, *((path, "", "", "", "") for path in one.files)):
                    self._providers.setdefault(relation[0], []).append((self._one(relation), package))

    def chosen(self, wanted: set[tuple[int, str]]) -> set[tuple[int, str]]:
        """Give the places wanted and those needed."""
        chosen = set(wanted)
        seen: set[Relation] = set()
        waiting = deque(self.by_place[place] for place in sorted(wanted) if place in self.by_place)
        while waiting:
            package = waiting.popleft()
            new = [one for one in _names(package.requires) if one not in seen] if package.arch not in _SOURCES else ()
            seen.update(new)
            for relation in new:
                if needed := self._provider(relation, package, chosen):
                    chosen.add(needed.place)
                    waiting.append(needed)
        return chosen

    def _provider(self, required: Relation, by: _Package, chosen: set[tuple[int, str]]) -> _Package | None:
        """Choose who shall provide what a package requires; None where somebody chosen does, or nobody can."""
        known = self._providers.get(required[0], ())
        fitting = {one.place: one for provided, one in known if _provides(provided, required)}
        if not fitting or any(place in chosen for place in fitting):
            return None
        best = min(_preference(one, required[0], by) for one in fitting.values())
        equal = [one for one in fitting.values() if _preference(one, required[0], by) == best]
        return max(equal, key=lambda one: (evr_key(one.evr), one.arch, -one.place[0], one.place[1]))

    def _one(self, relation: Relation) -> Relation:
        return self._same.setdefault(relation, relation)


def _rank(severity: str) -> int:
    folded = severity.casefold()
    return _SEVERITIES.index(folded) if folded in _SEVERITIES else len(_SEVERITIES)


def _preference(one: _Package, required: str, by: _Package) -> tuple[bool, bool, str]:
    return one.name != required, one.arch not in (by.arch, "noarch"), one.name


def _provides(provided: Relation, required: Relation) -> bool:
    """Say whether what is provided is what is required; where either is of no version, the name decides."""
    agreeing = _AGREEING.get(required[1])
    if agreeing is None or provided[1] != "EQ":
        return True
    release = provided[4] if required[4] else ""
    evr = provided[2] or "0", provided[3], release
    return compare_evr(evr, (required[2] or "0", required[3], required[4])) in agreeing


def _names(requires: Iterable[Relation]) -> Iterator[Relation]:
    """Take rich requirements apart."""
    for relation in requires:
        if relation[0].startswith("("):
            yield from ((name, "", "", "", "") for name in rich_names(relation[0]))
        else:
            yield relation


def rich_names(text: str) -> list[str]:
    """List the names in a rich requirement, each once: `(a >= 1 if (b or c))` has a, b and c."""
    names: dict[str, None] = {}
    words = iter(re.split(r"\s+", text))
    for word in words:
        name = word.lstrip("(")
        while name.endswith(")") and name.count(")") > name.count("("):
            name = name[:-1]
        if name in _COMPARISONS:
            next(words, "")
        elif name and name not in _OPERATORS:
            names[name] = None
    return list(names)
