"""What a diff says to people, in the order it is said: sections of rows, for the terminal and for the page alike."""

from collections.abc import Iterable, Sequence

import msgspec

from issmedia.base.units import bytes_text, count_text
from issmedia.model.builds import Change, PackageBuild
from issmedia.model.diff import Changed, RepositoryDiff
from issmedia.model.package import Advisory
from issmedia.ops.diff import Compared, Part, Side

_SEVERITIES = ("critical", "important", "moderate", "low")

_PARTS: dict[Part, str] = {
    "packages": "packages",
    "epochs": "epochs",
    "advisories": "advisories",
    "groups": "groups",
    "modules": "module streams",
    "carry": "bytes to carry",
}


class Section(msgspec.Struct, frozen=True):
    """One kind of change in one repository; a `loud` one must not be overlooked. Cells are as found: hostile text."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    loud: bool = False


def sections(one: RepositoryDiff) -> list[Section]:
    """Say what changed in a repository: what gets older first, advisories by severity; nothing where nothing did."""
    found = [
        Section("DOWNGRADED", ("package", "version"), _moves(one.downgraded, "was there before"), loud=True),
        Section("upgraded", ("package", "version"), _moves(one.upgraded, "the old one stays")),
        Section("added", ("package",), _names(one.added)),
        Section("removed", ("package",), _names(one.removed)),
        Section("replaced: other bytes under one version", ("package",), _names(change.new for change in one.replaced)),
        Section("advisories", ("severity", "advisory", "title", "CVEs"), _advisories(one.advisories)),
        Section("groups", ("group", "change"), _changed(one.groups)),
        Section("module streams", ("stream", "change"), _changed(one.modules)),
    ]
    return [section for section in found if section.rows]


def headline(one: RepositoryDiff, compared: Compared) -> str:
    """Say in a line what changed in a repository."""
    if one.new is None:
        return "is not in the new state"
    if one.old == one.new:
        return "no change"
    unknown = compared.unknown.get(one.repository, ())
    numbers = [] if "packages" in unknown else counts(one)
    size = "size not known" if "carry" in unknown else f"{bytes_text(one.carry.bytes)} to carry"
    new = ["not in the old state"] if one.old is None else []
    return ", ".join([*new, *numbers, size])


def totals(compared: Compared) -> str:
    """Say in a line what changed in all repositories together."""
    found = compared.diff.totals
    told = {
        "packages": f"{found.upgraded:,} upgraded, {found.added:,} added, {found.removed:,} removed",
        "advisories": f"{count_text(found.advisories, 'advisory', 'advisories')}, "
        + count_text(len(compared.diff.cves), "CVE"),
        "carry": f"{bytes_text(found.carry.bytes)} to carry",
    }
    unsure = {part for parts in compared.unknown.values() for part in parts}
    if "advisories" in unsure and not found.advisories:
        told["advisories"], unsure = "advisories not known", unsure - {"advisories"}
    return ", ".join(f"at least {text}" if part in unsure else text for part, text in told.items())


def alarm(compared: Compared) -> str:
    """Say which packages get older, "" where none does."""
    count = compared.diff.totals.downgraded
    where = [one.repository for one in compared.diff.repositories if one.downgraded]
    if not count:
        return ""
    return f"DOWNGRADE: {count_text(count, 'package')} would become OLDER, in {', '.join(where)}"


def counts(one: RepositoryDiff) -> list[str]:
    """Say how many things changed in a repository, of each kind that did; what gets older first."""
    groups = len(one.groups.added) + len(one.groups.removed) + len(one.groups.changed)
    modules = len(one.modules.added) + len(one.modules.removed) + len(one.modules.changed)
    numbers = [
        (len(one.downgraded), "DOWNGRADED"),
        (len(one.upgraded), "upgraded"),
        (len(one.added), "added"),
        (len(one.removed), "removed"),
        (len(one.replaced), "replaced"),
        (len(one.advisories), "advisories" if len(one.advisories) > 1 else "advisory"),
        (groups, "groups changed" if groups > 1 else "group changed"),
        (modules, "module streams changed" if modules > 1 else "module stream changed"),
    ]
    return [f"{number:,} {noun}" for number, noun in numbers if number]


def package_counts(one: RepositoryDiff) -> dict[str, int]:
    """Count the packages that changed in a repository, for JSON: by the fields of a diff."""
    return {kind: len(getattr(one, kind)) for kind in ("added", "removed", "upgraded", "downgraded", "replaced")}


def ranked(found: Iterable[Advisory]) -> list[Advisory]:
    """Order advisories: the severest first."""
    return sorted(found, key=lambda one: (_rank(one), one.id))


def unknown_text(one: RepositoryDiff, compared: Compared) -> str:
    """Say what could not be told of a repository and why, "" where all could."""
    parts = compared.unknown.get(one.repository, ())
    if not parts:
        return ""
    names = [_PARTS[part] for part in parts]
    listed = " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]
    if "packages" in parts:
        why = "this site never held it"
    elif "epochs" in parts:
        why = "not imported here, so file names are compared"
    else:
        why = "an older issmedia indexed it, or they could not be read"
    return f"{listed} {'is' if listed == 'packages' else 'are'} not known: {why}"


def side_text(side: Side) -> str:
    """Name a side: what it is, from when, and whether somebody vouches for it."""
    facts = side.state.entry
    id = f", {facts.kind} {facts.id[:16]}" if facts.id else ""
    doubt = "" if side.verified else ", NOT VERIFIED"
    return f"{facts.name}{id}, {facts.created}{doubt}"


def _moves(changes: Iterable[Change], beside: str) -> tuple[tuple[str, ...], ...]:
    """Give package and versions; `beside` says what it means that the older build stands in both states."""
    return tuple(
        (
            f"{one.new.name}.{one.new.arch}",
            f"{_version(one.old)} → {_version(one.new)}" + (f" ({beside})" if one.beside else ""),
        )
        for one in changes
    )


def _version(build: PackageBuild) -> str:
    epoch = "" if build.epoch in ("", "0") else f"{build.epoch}:"
    return f"{epoch}{build.version}-{build.release}"


def _names(builds: Iterable[PackageBuild]) -> tuple[tuple[str, ...], ...]:
    return tuple((one.nevra,) for one in builds)


def _advisories(found: Sequence[Advisory]) -> tuple[tuple[str, ...], ...]:
    return tuple((one.severity or one.kind, one.id, one.title, " ".join(one.cves)) for one in ranked(found))


def _rank(one: Advisory) -> int:
    severity = one.severity.casefold()
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)


def _changed(found: Changed) -> tuple[tuple[str, ...], ...]:
    pairs = [(found.added, "added"), (found.removed, "removed"), (found.changed, "changed")]
    return tuple((name, change) for names, change in pairs for name in names)
