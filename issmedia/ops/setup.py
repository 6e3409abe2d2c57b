"""init, product, repo: the names a site works with."""

from collections.abc import Sequence
from pathlib import Path

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError, UsageError
from issmedia.depot.catalog import Session
from issmedia.depot.depot import Depot, OwnedDepot, create_depot
from issmedia.model.documents import MAX_OPENPGP_KEY, Product, Repository
from issmedia.model.manifest import SiteName
from issmedia.model.names import checked_label, shown
from issmedia.net.upstream import checked_source

_ARMOR = (b"-----BEGIN PGP PUBLIC KEY BLOCK-----", b"-----END PGP PUBLIC KEY BLOCK-----")


def init(root: Path, *, name: str, site_id: str, now: str) -> Depot:
    """Make a depot and a site identity; `name` is a label, so that bundles can be addressed to it."""
    return create_depot(root, SiteName(site_id, checked_label(name)), now=now)


def add_product(depot: OwnedDepot, label: str, *, name: str | None) -> Product:
    """Add a product."""
    product = Product(checked_label(label), name or label)
    with depot.catalog.changing() as db:
        if product.label in (one.label for one in db.names.products()):
            raise UsageError(f"product {label} is there already")
        db.names.add_product(product)
    return product


def remove_product(depot: OwnedDepot, label: str) -> None:
    """Remove an empty product."""
    with depot.catalog.changing() as db:
        db.names.remove_product(label)


def add_repository(
    depot: OwnedDepot, path: str, source: str, *, name: str | None, keys: Sequence[bytes], now: str
) -> Repository:
    """Add a repository and, where it is absent, its product; `keys` are armored OpenPGP public keys to pin.

    `source` is an absolute path, or a URL without credentials; `UsageError` for any other.
    """
    product, label = split_path(path)
    source = checked_source(source)
    repository = Repository(product, label, name or path, source, keys=_store_keys(depot, keys))
    with depot.catalog.changing() as db:
        db.names.add_product(Product(product, product))
        db.names.add_repository(repository)
        _note_keys(db, repository, now=now)
    return repository


def change_repository(
    depot: OwnedDepot,
    path: str,
    *,
    source: str | None,
    name: str | None,
    keys: Sequence[bytes] | None,
    now: str,
) -> Repository:
    """Change what is given and leave the rest; `keys` replaces all pinned keys."""
    checked = None if source is None else checked_source(source)
    pinned = None if keys is None else _store_keys(depot, keys)
    with depot.catalog.changing() as db:
        old = db.names.repository(path)
        if old is None:
            raise UsageError(f"no repository {shown(path)}", hint="issmedia repo list")
        new = Repository(
            old.product,
            old.label,
            name or old.name,
            checked or old.source,
            old.content_type,
            old.keys if pinned is None else pinned,
        )
        db.names.update_repository(new)
        if pinned is not None:
            _note_keys(db, new, now=now)
    return new


def remove_repository(depot: OwnedDepot, path: str, *, now: str) -> None:
    """Forget a repository and its history of snapshots; blobs stay in the store, the ledger remembers."""
    with depot.catalog.changing() as db:
        db.names.remove_repository(path)
        db.ledger.append("repository removed", {"repository": path}, now=now)


def split_path(path: str) -> tuple[str, str]:
    """Split `PRODUCT/REPO` into two labels, or raise `UsageError`."""
    product, slash, label = path.partition("/")
    if not slash:
        raise UsageError(
            f"{shown(path)!r} is not PRODUCT/REPO", hint="for example: issmedia repo add alma9/baseos SOURCE"
        )
    return checked_label(product), checked_label(label)


def _store_keys(depot: OwnedDepot, keys: Sequence[bytes]) -> tuple[Digest, ...]:
    for key in keys:
        text = key.strip()
        if len(key) > MAX_OPENPGP_KEY or not (text.startswith(_ARMOR[0]) and text.endswith(_ARMOR[1])):
            raise FormatError(
                "not one armored OpenPGP public key", hint="gpg --armor --export KEY > FILE makes such a file"
            )
    with depot.store.writing() as writing:
        return tuple(dict.fromkeys(writing.add_bytes(key) for key in keys))


def _note_keys(db: Session, repository: Repository, *, now: str) -> None:
    if repository.keys:
        db.ledger.append("keys pinned", {"repository": repository.path, "keys": list(repository.keys)}, now=now)
