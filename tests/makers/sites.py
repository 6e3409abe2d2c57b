"""Sites for tests: a depot and the command line over it, in this process, as its user types it."""

import contextlib
import io
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from issmedia.base.digest import Digest, digest_of
from issmedia.cli.main import run
from issmedia.depot.depot import Depot, open_depot


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one command line did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Parse what `--json` wrote to stdout."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Site:
    """A site whose depot is at `root`."""

    root: Path

    def call(self, *arguments: str | Path) -> Outcome:
        """Run `issmedia --depot ROOT ARGUMENTS`, whatever it answers."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(["--depot", str(self.root), *map(str, arguments)])
        return Outcome(code, out.getvalue(), err.getvalue())

    def do(self, *arguments: str | Path) -> Outcome:
        """Run a command that must succeed."""
        outcome = self.call(*arguments)
        assert outcome.code == 0, f"{arguments}: exit {outcome.code}\n{outcome.out}{outcome.err}"
        return outcome

    @property
    def depot(self) -> Depot:
        """Open the depot."""
        return open_depot(self.root)

    @property
    def public_key(self) -> str:
        """Give the public line of the signing key `release`."""
        return self.do("keys", "show", "release", "--public").out.strip()

    def trees(self) -> dict[str, str]:
        """Map PRODUCT/REPO → tree digest of the current snapshot."""
        found = self.do("status", "--json").document["repositories"]
        return {
            f"{one['repository']['product']}/{one['repository']['label']}": one["snapshot"]["tree"] for one in found
        }

    def state(self) -> dict[str, Digest | str]:
        """Everything that must stay as it is when something is refused: catalog, published link and trees.

        Blobs without a name may come and go; they are not part of the state.
        """
        return {
            "catalog": digest_of("\n".join(_dump(self.root / "catalog.sqlite")).encode()),
            **_published(self.root),
            **_files(self.root / "keyring"),
        }


def connected_site(root: Path, **repositories: Path) -> Site:
    """Make a site with the key `release` that synced these repositories: `zoo=PATH` becomes product `p/zoo`."""
    site = Site(root)
    site.do("init", "--name", root.name)
    site.do("keys", "generate", "release")
    for label, path in repositories.items():
        site.do("repo", "add", f"p/{label}", path)
    if repositories:
        site.do("sync")
    return site


def disconnected_site(root: Path, *trusted: Site) -> Site:
    """Make a site that trusts the keys `release` of others."""
    site = Site(root)
    site.do("init", "--name", root.name)
    for other in trusted:
        site.do("keys", "trust", other.root.name, other.public_key)
    return site


def _dump(catalog: Path) -> Iterator[str]:
    with contextlib.closing(sqlite3.connect(catalog)) as db:
        yield from db.iterdump()


def _published(root: Path) -> dict[str, Digest | str]:
    link = root / "published"
    facts: dict[str, Digest | str] = {"published": str(link.readlink()) if link.is_symlink() else "nothing"}
    return facts | (_files(link.resolve()) if link.exists() else {})


def _files(directory: Path) -> dict[str, Digest | str]:
    return {str(path): digest_of(path.read_bytes()) for path in sorted(_walk(directory))}


def _walk(directory: Path) -> Iterator[Path]:
    for path in directory.iterdir() if directory.is_dir() else ():
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path
