"""A site under attack: it trusts another, imported its first bundle, and gets a second one that somebody altered."""

import sys
from dataclasses import dataclass
from pathlib import Path

from issmedia.depot.keys import FileKey
from tests.makers.forge import release_key
from tests.makers.repos import FLAT, PackageSpec, build_repo
from tests.makers.sites import Outcome, Site, connected_site, disconnected_site


@dataclass(frozen=True)
class World:
    """Sites `hq`, with its `key`, and `lab`, which imported `older`; `newer` shares no blob with it. Copy first."""

    hq: Site
    key: FileKey
    lab: Site
    older: Path
    newer: Path


def build_world(root: Path) -> World:
    """Make both sites and both bundles, sequence 1 and 2, of repository `p/zoo`."""
    upstream = root / "upstream"
    build_repo(upstream, [PackageSpec("alpha", "0.9"), PackageSpec("beta", "0.9")], layout=FLAT)
    hq = connected_site(root / "hq", zoo=upstream)
    hq.do("export", "--to", root / "older")
    lab = disconnected_site(root / "lab", hq)
    lab.do("publish", "--base-url", "http://lab.example")
    lab.do("import", root / "older")
    build_repo(upstream, ["alpha", "beta", "gamma"], layout=FLAT)
    hq.do("sync")
    hq.do("export", "--to", root / "newer", "--notes", "the second")
    return World(hq, release_key(hq), lab, root / "older", root / "newer")


def command_line(site: Site, *arguments: str | Path) -> list[str]:
    """Write the command that runs `issmedia --depot ROOT ARGUMENTS` in a process of its own."""
    program = "from issmedia.cli.main import main; main()"
    return [sys.executable, "-P", "-c", program, "--depot", str(site.root), *map(str, arguments)]


def assert_refused(lab: Site, volume: Path, code: int, *says: str) -> Outcome:
    """See that `verify` and `import` refuse a volume with this exit code and these words, and that nothing changed."""
    before = lab.state()

    outcomes = [lab.call("verify", volume), lab.call("import", volume)]

    assert lab.state() == before
    assert list((lab.root / "store" / "incoming").iterdir()) == []
    for outcome in outcomes:
        assert outcome.code == code, outcome.err
        assert outcome.err.startswith("error: ") or "\nerror: " in outcome.err
        assert [word for word in says if word not in outcome.err] == [], outcome.err
    assert lab.call("inspect", volume).code in {0, 5, 6}
    return outcomes[1]


def assert_imported(lab: Site, volume: Path, *arguments: str) -> Outcome:
    """See that the attack did no harm: the volume is imported, and clients see what it carries."""
    outcome = lab.do("import", volume, *arguments)

    assert (lab.root / "published/p/zoo/alpha-1.0-1.noarch.rpm").is_file(), outcome.err
    return outcome
