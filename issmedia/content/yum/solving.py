"""Who provides what packages require, by libsolv; the only module that imports solv.

Only the solving child runs this (`settling.py`): it takes what time and memory an upstream's requirements make it take.
libsolv gets no document: its pool is filled with relations that the parsing child read and the parent checked. Numbers
below are libsolv's, of packages and of relations. A requirement of a package for one processor is met by what installs
on that processor: the packages of each are settled by themselves, those for none with the most numerous.
"""

from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Set

import solv

from issmedia.base.errors import FormatError
from issmedia.content.yum.parsed import Related, Relation
from issmedia.content.yum.solved import Place

_SOURCES = ("src", "nosrc")
_FAMILIES = dict.fromkeys(("i386", "i486", "i586", "i686", "athlon", "geode", "amd64", "ia32e"), "x86_64")
_FLAGS = {
    "EQ": solv.REL_EQ,
    "GE": solv.REL_GT | solv.REL_EQ,
    "GT": solv.REL_GT,
    "LE": solv.REL_LT | solv.REL_EQ,
    "LT": solv.REL_LT,
}
_MAX_RELATIONS = 8_000_000
"""Relations and files of all repositories together; sixty thousand packages have some two million."""

_MAX_RICH = 16_384
_MAX_DEPTH = 64
"""Characters of a rich requirement, and parentheses within one another: libsolv reads them by recursion."""

_INSTALL = solv.Job.SOLVER_INSTALL | solv.Job.SOLVER_SOLVABLE
_FAVOR = solv.Job.SOLVER_FAVOR | solv.Job.SOLVER_SOLVABLE


class Pool:
    """The packages of some repositories. Where there is one of number 0, what the others provide is taken first.

    `trying` is told of each package before libsolv looks for what it needs.
    """

    def __init__(self, trying: Callable[[Place], object] = lambda place: None) -> None:  # noqa: ARG005
        self._trying = trying
        self._pool = solv.Pool()
        self._pool.setdisttype(solv.Pool.DISTTYPE_RPM)
        self._repos: dict[int, solv.Repo] = {}
        self._ids: dict[Place, int] = {}
        self._places: dict[int, Place] = {}
        self._requires: dict[int, array[int]] = {}
        self._rich: set[int] = set()
        self._families: dict[int, str] = {}
        self._providers: dict[int, tuple[int, ...]] = {}
        self._relations = 0

    def add(self, number: int, found: Iterable[Related], *, where: str | None = None) -> None:
        """Add packages of a repository; `FormatError` where they are related to too much."""
        if number not in self._repos:
            self._repos[number] = self._pool.add_repo(str(number))
            self._repos[number].priority = 1 if number else 0
        for one in found:
            more = (one.requires, one.provides, one.files, one.conflicts, one.obsoletes)
            self._count(sum(map(len, more)), where)
            if (number, one.href) not in self._ids:
                self._add(number, one)

    def add_file(self, place: Place, path: str) -> None:
        """Let a package provide one more file."""
        self._count(1, None)
        solvable = self._pool.id2solvable(self._ids[place])
        solvable.add_deparray(solv.SOLVABLE_PROVIDES, self._pool.str2id(path))

    def files_lacking(self) -> set[str]:
        """List the paths that are required and that nobody provides, as far as is known."""
        self._settle(None)
        lacking = {relation for needs in self._requires.values() for relation in needs if not self._who(relation)}
        return {text for text in map(self._pool.dep2str, lacking) if text.startswith("/")}

    def closed(self, wanted: Iterable[Place]) -> set[Place]:
        """Give those wanted that there are, and what these need."""
        chosen = {self._ids[place] for place in wanted if place in self._ids}
        for family in self._settled_families():
            self._close(chosen, [one for one in sorted(chosen) if self._families[one] == family])
        return {self._places[one] for one in chosen}

    def unmet(self) -> dict[Place, tuple[str, ...]]:
        """Give what each package requires in vain: nobody provides it, or only packages that lack something, too."""
        broken: dict[int, list[int]] = {}
        for family in self._settled_families():
            broken |= self._broken([one for one in self._requires if self._families[one] == family])
        return {self._places[one]: tuple(map(self._pool.dep2str, broken[one])) for one in sorted(broken)}

    def _count(self, more: int, where: str | None) -> None:
        self._relations += more
        if self._relations > _MAX_RELATIONS:
            raise FormatError(f"packages require and provide more than {_MAX_RELATIONS:,} things", where=where)

    def _add(self, number: int, one: Related) -> None:
        solvable = self._repos[number].add_solvable()
        solvable.name, solvable.arch = one.name, one.arch
        solvable.evr = _evr(one.epoch, one.version, one.release)
        self._ids[number, one.href] = solvable.id
        self._places[solvable.id] = number, one.href
        self._families[solvable.id] = _FAMILIES.get(one.arch, one.arch)
        if one.arch in _SOURCES:
            return
        requires = [self._relation(relation) for relation in one.requires if not relation[0].startswith("rpmlib(")]
        self._requires[solvable.id] = array("i", requires)
        for key, relations in (
            (solv.SOLVABLE_REQUIRES, requires),
            (solv.SOLVABLE_PROVIDES, map(self._relation, one.provides)),
            (solv.SOLVABLE_PROVIDES, map(self._pool.str2id, one.files)),
            (solv.SOLVABLE_CONFLICTS, map(self._relation, one.conflicts)),
            (solv.SOLVABLE_OBSOLETES, map(self._relation, one.obsoletes)),
        ):
            for relation in relations:
                solvable.add_deparray(key, relation)

    def _relation(self, relation: Relation) -> int:
        name, flags, epoch, version, release = relation
        if name.startswith("("):
            return self._rich_relation(name)
        found: int = self._pool.str2id(name)
        if kind := _FLAGS.get(flags):
            found = self._pool.rel2id(found, self._pool.str2id(_evr(epoch, version, release)), kind)
        return found

    def _rich_relation(self, text: str) -> int:
        fits = len(text) <= _MAX_RICH and _depth(text) <= _MAX_DEPTH
        parsed = self._pool.parserpmrichdep(text) if fits else None
        if parsed is None:
            return int(self._pool.str2id(text))
        self._rich.add(parsed.id)
        return int(parsed.id)

    def _settled_families(self) -> Iterator[str]:
        """Give each processor that packages are for, once the pool is settled for it."""
        real = Counter(family for family in self._families.values() if family not in (*_SOURCES, "noarch"))
        names = [name for name, _ in sorted(real.items(), key=lambda item: (-item[1], item[0]))] or ["noarch"]
        for one, family in self._families.items():
            if family == "noarch":
                self._families[one] = names[0]
        for name in names:
            self._settle(name)
            yield name

    def _settle(self, family: str | None) -> None:
        self._pool.setarch(family)
        self._pool.createwhatprovides()
        self._providers.clear()

    def _who(self, relation: int) -> tuple[int, ...]:
        found = self._providers.get(relation)
        if found is None:
            found = self._providers[relation] = tuple(one.id for one in self._pool.whatprovides(relation))
        return found

    def _close(self, chosen: set[int], asking: Iterable[int]) -> None:
        """Add to the chosen what those asking need, and what that needs."""
        waiting = deque(asking)
        while waiting:
            one = waiting.popleft()
            lacking = [relation for relation in self._requires.get(one, ()) if not self._is_met(relation, chosen)]
            if lacking:
                more = self._solved(one, chosen) or self._best(lacking)
                waiting.extend(sorted(more - chosen))
                chosen |= more

    def _is_met(self, relation: int, chosen: Set[int]) -> bool:
        """Say whether somebody chosen provides this; of a rich requirement, only libsolv knows."""
        return relation not in self._rich and any(one in chosen for one in self._who(relation))

    def _solved(self, one: int, chosen: Iterable[int]) -> set[int]:
        """Give what an installation of one package would install, rather of the chosen; nothing where it fails."""
        self._trying(self._places[one])
        solver = self._pool.Solver()
        solver.set_flag(solv.Solver.SOLVER_FLAG_NO_INFARCHCHECK, 1)
        solver.set_flag(solv.Solver.SOLVER_FLAG_IGNORE_RECOMMENDED, 1)
        jobs = [self._pool.Job(_FAVOR, other) for other in chosen if other != one]
        if solver.solve([self._pool.Job(_INSTALL, one), *jobs]):
            return set()
        return {other.id for other in solver.transaction().newpackages()}

    def _best(self, lacking: Iterable[int]) -> set[int]:
        """Give a provider of each of those that has one: for a package that cannot be installed whole."""
        known = (self._who(relation) for relation in lacking)
        return {max(ids) for ids in known if ids}

    def _broken(self, ids: Sequence[int]) -> dict[int, list[int]]:
        """Find what cannot be met, then who needs those, and so on."""
        broken: dict[int, list[int]] = {}
        count = -1
        while count < len(broken):
            count = len(broken)
            for one in ids:
                if one not in broken and (lacking := self._lacking(one, broken)):
                    broken[one] = lacking
        for one in ids:
            rich = [relation for relation in self._requires[one] if relation in self._rich]
            if rich and one not in broken and not self._solved(one, ()):
                broken[one] = rich
        return broken

    def _lacking(self, one: int, broken: dict[int, list[int]]) -> list[int]:
        needs = (relation for relation in self._requires[one] if relation not in self._rich)
        return [relation for relation in needs if all(other in broken for other in self._who(relation))]


def _evr(epoch: str, version: str, release: str) -> str:
    text = f"{version}-{release}" if release else version
    return f"{epoch}:{text}" if epoch not in ("", "0") else text


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    return deepest
