"""publish: current snapshots → what clients see, switched by one rename. Unchanged repositories cost nothing."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import UsageError
from issmedia.base.events import Advanced, Finished, Report, Started
from issmedia.depot.catalog import Session
from issmedia.depot.depot import OwnedDepot
from issmedia.depot.publish import Generation, Publications
from issmedia.depot.store import Store
from issmedia.model.clientfile import ClientRepository, file_url, render_client_file
from issmedia.model.documents import MAX_OPENPGP_KEY, Repository, Snapshot
from issmedia.model.names import CLIENT_FILE, shown

BASE_URL = "base_url"
"""The setting that holds where clients find `published/`; absent means `file://` of the directory."""

FILE = "file"
"""The word that means `file://` of the directory again."""

_URL = re.compile(r"(?:https?://[!-+\--.0-~]|file:///)[!-+\--~]*")
"""Printable ASCII but blank and comma, at which dnf begins another URL."""


class Published(msgspec.Struct, frozen=True):
    """What a publish did. `changed` says that clients see something new; `made` trees were linked for it."""

    changed: bool
    generation: Digest
    repositories: tuple[str, ...]
    made: tuple[str, ...]


def publish(
    depot: OwnedDepot, what: Sequence[str] = (), *, now: str, report: Report, base_url: str | None = None
) -> Published:
    """Show clients the current snapshots of `what` (nothing: all that have one); others stay as clients see them.

    `base_url` is remembered for the client file: http, https or file; the word `file` stands for the directory itself.
    Repeated, it changes nothing.
    """
    _require_url(base_url)
    with depot.catalog.reading() as db:
        url = base_url or db.names.setting(BASE_URL) or FILE
        url = file_url(str(depot.published)) if url == FILE else url
        chosen = {repo.path for repo in db.names.select(what)}
        shown = _shown(db, depot, chosen if what else None)
        generation = _generation(shown, depot.store, url.rstrip("/"))
    publications = Publications(depot.root, depot.store)
    _catch_up(depot, publications, now=now)
    made = _make_trees(publications, depot.store, generation, report)
    _remember(depot, base_url)
    changed = publications.switch(generation)
    if changed:
        _record(depot, generation.name, generation.trees, now=now)
    return Published(changed, generation.name, tuple(sorted(generation.trees)), made)


def _require_url(base_url: str | None) -> None:
    if base_url not in (None, FILE) and not _URL.fullmatch(base_url):
        raise UsageError(
            f"expected a base URL like http://host/path or file:///path, found {shown(base_url)!r}",
            hint=f"no blanks, commas or other than ASCII; `--base-url {FILE}` is the directory again",
        )


def _remember(depot: OwnedDepot, base_url: str | None) -> None:
    """Keep where clients find `published/`; before they see it, so that no run that dies between loses it."""
    with depot.catalog.reading() as db:
        known = db.names.setting(BASE_URL)
    if base_url is None or base_url == (known or FILE):
        return
    with depot.catalog.changing() as db:
        if base_url == FILE:
            db.names.forget_setting(BASE_URL)
        else:
            db.names.set_setting(BASE_URL, base_url)


def _shown(db: Session, depot: OwnedDepot, chosen: set[str] | None) -> list[tuple[Repository, Snapshot]]:
    """Pair each repository with the snapshot that clients shall see."""
    before = Publications(depot.root, depot.store).current_trees()
    shown: list[tuple[Repository, Snapshot]] = []
    for repo in db.names.repositories():
        if chosen is None or repo.path in chosen:
            snapshot = db.names.current(repo.path)
        else:
            snapshot = next((s for s in db.names.snapshots(repo.path) if s.tree == before.get(repo.path)), None)
        if snapshot is not None:
            shown.append((repo, snapshot))
    return shown


def _generation(shown: Sequence[tuple[Repository, Snapshot]], store: Store, url: str) -> Generation:
    keys = {digest: store.read(digest, MAX_OPENPGP_KEY) for repo, _ in shown for digest in repo.keys}
    sections = [
        ClientRepository(
            repo.path,
            repo.name,
            f"{url}/{repo.path}/",
            snapshot.signed_metadata,
            tuple(f"{url}/{_key_path(digest)}" for digest in repo.keys),
        )
        for repo, snapshot in shown
    ]
    comment = "For dnf, made by issmedia. Keys stand here only where this site's operator pinned them."
    files = {_key_path(digest): data for digest, data in keys.items()}
    files[CLIENT_FILE] = render_client_file(sections, comment=comment)
    return Generation({repo.path: snapshot.tree for repo, snapshot in shown}, files)


def _key_path(digest: Digest) -> str:
    return f"_keys/{digest}.asc"


def _make_trees(publications: Publications, store: Store, generation: Generation, report: Report) -> tuple[str, ...]:
    wanted = {path: tree for path, tree in generation.trees.items() if not publications.has_tree(tree)}
    report(Started("publishing", len(wanted)))
    for tree in sorted(set(wanted.values())):
        publications.add_tree(tree, store.tree(tree))
        report(Advanced(1))
    report(Finished("publishing"))
    return tuple(sorted(wanted))


def _catch_up(depot: OwnedDepot, publications: Publications, *, now: str) -> None:
    """Record what clients see where a run died between the switch and its record."""
    seen = publications.current()
    if seen is None:
        return
    with depot.catalog.reading() as db:
        recorded = db.ledger.newest("publish")
    if recorded is None or recorded.facts["generation"] != seen:
        _record(depot, seen, publications.current_trees(), now=now)


def _record(depot: OwnedDepot, generation: Digest, trees: Mapping[str, Digest], *, now: str) -> None:
    with depot.catalog.changing() as db:
        facts = {"generation": generation, "trees": dict(sorted(trees.items()))}
        db.ledger.append("publish", facts, now=now)
