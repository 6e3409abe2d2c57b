"""The depot: the directory a site owns.

DEPOT/
├── store/            blobs (depot.store)
├── catalog.sqlite    names, history, ledger, search (depot.catalog)
├── keys/             0700: signing keys (depot.keys)
├── keyring/          whom this site trusts (depot.keyring)
├── publications/     what clients have seen: trees of hard links, generations (depot.publish)
├── published ->      the generation that clients see
├── pending/          bundles of which volumes are still to come (depot.pending)
├── refusals.jsonl   what imports refused, for the next receipt (depot.refusals)
├── secrets/          0700: passwords that `repo import` took out of .repo files, by PRODUCT/REPO
├── quarantine/       damaged blobs that audit set aside
└── lock              held by the one process that changes the depot
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NewType

from issmedia.base import files
from issmedia.base.errors import DepotError, NotADepotError
from issmedia.base.locks import locked
from issmedia.depot.catalog import Catalog
from issmedia.depot.pending import Pending
from issmedia.depot.store import Store
from issmedia.model.manifest import SiteName
from issmedia.model.trust import SiteState


class Depot:
    """An open depot; reading is free, changing wants `owned`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store(root / "store")
        self.catalog = Catalog(root / "catalog.sqlite")
        self.pending = Pending(root)

    @property
    def keys(self) -> Path:
        """Say where private keys lie."""
        return self.root / "keys"

    @property
    def keyring(self) -> Path:
        """Say where the keyring lies."""
        return self.root / "keyring"

    @property
    def published(self) -> Path:
        """Say where clients look."""
        return self.root / "published"

    @contextlib.contextmanager
    def owned(self, purpose: str, *, now: str) -> Iterator["OwnedDepot"]:
        """Be the one process that changes the depot, or raise `BusyError` saying who is.

        An older catalog is brought to today's schema here, and nowhere else.
        """
        with locked(self.root / "lock", purpose, since=now):
            self.catalog.prepare()
            yield OwnedDepot(self)

    def site(self) -> SiteName:
        """Say who this site is."""
        with self.catalog.reading() as db:
            return SiteName(db.names.setting("site_id") or "", db.names.setting("site_name") or "")

    def state(self) -> SiteState:
        """Give what the rules of trust need to know of this site.

        An import that only keys signed which are revoked now holds nobody up: a stolen key may have signed the highest
        number there is. None that such a key signed can come again.
        """
        from issmedia.depot.keyring import Keyring  # cryptography, which takes a while, and not every command needs

        revoked = frozenset(key.fingerprint for key in Keyring(self.keyring).revoked())
        with self.catalog.reading() as db:
            imports = db.history.imports(revoked=revoked)
            return SiteState(
                name=db.names.setting("site_name") or "",
                imported=imports.ids,
                marks=imports.marks,
                floor=imports.newest_created,
                held=db.names.origins({one.id for one in imports.records}),
                trees=frozenset(db.names.trees()),
                ledger=db.ledger.hashes(),
                id=db.names.setting("site_id") or "",
            )


OwnedDepot = NewType("OwnedDepot", Depot)
"""A depot whose lock this process holds: what changes a depot takes this type."""


def open_depot(root: Path) -> Depot:
    """Open the depot at `root`, changing nothing; `NotADepotError` where there is none, or half of one."""
    depot = Depot(root)
    if not depot.catalog.path.is_file():
        raise NotADepotError(
            "no depot here", where=str(root), hint=f"make one: issmedia --depot {root} init --name SITE"
        )
    if not depot.catalog.site_id():
        raise NotADepotError(
            "no site id in the catalog: the depot is half made, or the catalog was lost",
            where=str(depot.catalog.path),
            hint=f"issmedia --depot {root} init --name SITE finishes a half; a lost catalog comes from a backup",
        )
    return depot


def create_depot(root: Path, site: SiteName, *, now: str) -> Depot:
    """Make a depot in an empty or missing directory. Killed half-way, the same call finishes it."""
    depot = Depot(root)
    _require_absent(depot)
    if root.exists() and _foreign(root):
        raise DepotError("the directory is not empty", where=str(root), hint="choose an empty or new directory")
    files.make_directory(root)
    with depot.owned("init", now=now) as owned:
        _require_absent(owned)
        _fill(owned, site, now=now)
    return depot


def _require_absent(depot: Depot) -> None:
    if depot.catalog.site_id():
        raise DepotError("there is a depot already", where=str(depot.root), hint="issmedia status")


def _fill(depot: OwnedDepot, site: SiteName, *, now: str) -> None:
    for path, mode in (
        (depot.store.root, 0o755),
        (depot.store.root / "incoming", 0o700),
        (depot.keys, 0o700),
        (depot.keyring, 0o755),
        (depot.root / "publications", 0o755),
    ):
        files.make_directory(path, mode)
    with depot.catalog.changing() as db:
        db.names.set_setting("site_id", site.id)
        db.names.set_setting("site_name", site.name)
        db.ledger.append("init", {"site": {"id": site.id, "name": site.name}}, now=now)
    files.sync_filesystem(depot.root)


_FILES = frozenset({"catalog.sqlite", "catalog.sqlite-journal", "lock", "lost+found"})
_DIRECTORIES = frozenset({"store", "keys", "keyring", "publications"})


def _foreign(root: Path) -> bool:
    """Say whether there is more than an init that died leaves: files of others, or a site that lost its catalog."""
    if not root.is_dir():
        return True
    filled = (entry for name in _DIRECTORIES if (root / name).is_dir() for entry in (root / name).iterdir())
    return any(entry.name not in _FILES | _DIRECTORIES for entry in root.iterdir()) or any(
        entry != root / "store/incoming" for entry in filled
    )
