"""Weekly media for months: a vendor that moves on, a sender, destinations, and a shelf with every disc."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.makers.extras import AdvisorySpec
from tests.makers.repos import PackageSpec, build_repo
from tests.makers.sites import Outcome, Site, connected_site, disconnected_site

_FORM = "%Y-%m-%dT%H:%M:%SZ"


@dataclass
class Calendar:
    """A clock for tests: a minute passes each time somebody looks, and weeks when the story says so."""

    moment: datetime = datetime(2027, 1, 4, 6, tzinfo=UTC)

    def now(self) -> str:
        """Tell the time as `issmedia.cli.clock.now` does."""
        self.moment += timedelta(minutes=1)
        return self.moment.strftime(_FORM)

    def next_week(self) -> None:
        """Go on to the next week."""
        self.moment += timedelta(days=7)


@dataclass
class Vendor:
    """Upstream: label → package → version, and the advisories of each repository; `write` puts them on disk."""

    root: Path
    packages: dict[str, dict[str, str]] = field(default_factory=dict)
    advisories: dict[str, list[AdvisorySpec]] = field(default_factory=dict)

    def write(self) -> None:
        """Write every repository as it is now."""
        for label, found in self.packages.items():
            specs = [PackageSpec(name, version) for name, version in sorted(found.items())]
            build_repo(self.path(label), specs, advisories=self.advisories.get(label, []))

    def path(self, label: str) -> Path:
        """Say where a repository lies."""
        return self.root / label


@dataclass
class Months:
    """A sender and its destinations; `shelf` maps a destination's name → its discs in the order of their numbers."""

    root: Path
    calendar: Calendar
    vendor: Vendor
    hq: Site
    lab: Site
    ship: Site
    shelf: dict[str, list[Path]] = field(default_factory=dict)
    receipts: list[Path] = field(default_factory=list)

    def burn(self, to: Site, *options: str) -> Path:
        """Export the next disc for a site."""
        disc = self.next_disc(to)
        self.hq.do("export", "--to-site", to.root.name, "--to", disc, *options)
        return disc

    def next_disc(self, to: Site) -> Path:
        """Name an empty disc, and put it on the shelf."""
        discs = self.shelf.setdefault(to.root.name, [])
        discs.append(self.root / f"discs/{to.root.name}-{len(discs) + 1}")
        return discs[-1]

    def disc(self, to: Site, number: int) -> Path:
        """Take a disc from the shelf by its number in the chain."""
        return self.shelf[to.root.name][number - 1]

    def next_receipt(self) -> Path:
        """Name a file for a receipt."""
        self.receipts.append(self.root / f"receipts/{len(self.receipts) + 1}")
        self.receipts[-1].parent.mkdir(exist_ok=True)
        return self.receipts[-1]

    def report(self, of: Site) -> Outcome:
        """Carry a receipt of a site to the sender."""
        receipt = self.next_receipt()
        of.do("receipt", "show", "--to", receipt)
        return self.hq.do("receipt", "accept", receipt)


def begin(root: Path, calendar: Calendar, packages: Mapping[str, Mapping[str, str]]) -> Months:
    """Set up a sender with these repositories as `p/LABEL`, and the sites `lab` and `ship` it knows."""
    vendor = Vendor(root / "upstream", {label: dict(found) for label, found in packages.items()})
    vendor.write()
    hq = connected_site(root / "hq", **{label: vendor.path(label) for label in vendor.packages})
    lab, ship = (disconnected_site(root / name, hq) for name in ("lab", "ship"))
    for site in (lab, ship):
        site.do("keys", "generate", "release")
        hq.do("site", "add", site.root.name, "--key", site.public_key)
    return Months(root, calendar, vendor, hq, lab, ship)


def refused(site: Site, *arguments: str | Path) -> Outcome:
    """Run a command that must be refused as not trusted, and must change nothing."""
    before = site.state()
    outcome = site.call(*arguments)
    assert (outcome.code, site.state()) == (6, before), outcome.err
    return outcome


def hint(outcome: Outcome) -> str:
    """Give the hint of a refusal."""
    (found,) = re.findall(r"^hint: (.*)$", outcome.err, re.MULTILINE)
    return str(found)


def numbers_in(text: str) -> list[int]:
    """List the numbers of bundles (`#7`) that a text names, in its order."""
    return [int(number) for number in re.findall(r"#([0-9]+)", text)]


def command_in(text: str, **words: str | Path) -> list[str]:
    """Give the last command that a text names, without `issmedia`, with its words in capitals replaced."""
    (line,) = re.findall(r"issmedia ([^;\n]*)", text)[-1:]
    return [str(words.get(word, word)) for word in shlex.split(line)]
