"""init, product, repo: the names a site works with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from issmedia.base import files
from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError, UsageError
from issmedia.depot.catalog import Session
from issmedia.depot.depot import Depot, OwnedDepot, create_depot
from issmedia.depot.smallfile import write_small
from issmedia.model.documents import MAX_OPENPGP_KEY, Product, Repository
from issmedia.model.manifest import SiteName
from issmedia.model.names import checked_label, shown
from issmedia.model.repofile import RepoSection
from issmedia.model.selection import Selection
from issmedia.model.transport import NOTHING_CHOSEN, Kind, Transport
from issmedia.net.upstream import checked_files, checked_source

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
    depot: OwnedDepot,
    path: str,
    source: str,
    *,
    name: str | None,
    keys: Sequence[bytes],
    now: str,
    transport: Transport = NOTHING_CHOSEN,
    selection: Selection | None = None,
) -> Repository:
    """Add a repository and, where it is absent, its product; `keys` are armored OpenPGP public keys to pin.

    `source` is an absolute path, or a URL without credentials; `UsageError` for any other. `selection` is what is
    wanted of it.
    """
    product, label = split_path(path)
    source = _checked(source, transport)
    pinned = _store_keys(depot, keys)
    repository = Repository(product, label, name or path, source, keys=pinned, transport=transport, selection=selection)
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
    select: Callable[[Selection], Selection] | None = None,
    now: str,
    transport: Transport = NOTHING_CHOSEN,
) -> Repository:
    """Change what is given and leave the rest; `keys` replaces all pinned keys, `select` changes the selection."""
    if source is None and (transport.kind != Kind.PLAIN or transport.others):
        raise UsageError("a list or further base URLs want a source beside them", hint="issmedia repo set --source URL")
    pinned = None if keys is None else _store_keys(depot, keys)
    with depot.catalog.changing() as db:
        old = db.names.repository(path)
        if old is None:
            raise UsageError(f"no repository {shown(path)}", hint="issmedia repo list")
        chosen = old.transport.updated(transport)
        chosen = chosen if source is None else chosen.moved(transport)
        new = msgspec.structs.replace(
            old,
            name=name or old.name,
            source=old.source if source is None else source,
            keys=old.keys if pinned is None else pinned,
            transport=chosen,
            selection=old.selection if select is None else _selected(select(old.selection or Selection())),
        )
        if new.source is not None and (source is not None or transport != NOTHING_CHOSEN):
            _checked(new.source, new.transport)
        db.names.update_repository(new)
        if pinned is not None:
            _note_keys(db, new, now=now)
    return new


def _selected(selection: Selection) -> Selection | None:
    """Give None where all is wanted."""
    return None if selection == Selection() else selection


def remove_repository(depot: OwnedDepot, path: str, *, now: str) -> None:
    """Forget a repository and its history of snapshots; blobs stay in the store, the ledger remembers."""
    with depot.catalog.changing() as db:
        db.names.remove_repository(path)
        db.ledger.append("repository removed", {"repository": path}, now=now)
    files.unlink(_secrets_file(depot, *split_path(path)))


@dataclass(frozen=True, slots=True)
class FromFile:
    """What became of a section of a `.repo` file: added as `repository`, or None. `gpgkeys` are named, not trusted."""

    section: str
    repository: Repository | None
    gpgcheck: bool
    repo_gpgcheck: bool
    gpgkeys: tuple[str, ...]
    passed_over: tuple[str, ...]
    credentials: str | None


def import_repofile(
    depot: OwnedDepot,
    product: str,
    sections: Sequence[RepoSection],
    *,
    only: Sequence[str],
    keys: Sequence[bytes],
    now: str,
    transport: Transport = NOTHING_CHOSEN,
) -> list[FromFile]:
    """Add repositories of a `.repo` file to a product: all that are enabled, or `only` those named. All, or none.

    What `transport` says goes before the file. `keys` are pinned for each; those that the file names are not. Passwords
    of the file go to files of mode 0600 in the depot.
    """
    if unknown := set(only) - {one.id for one in sections}:
        raise UsageError(f"no section {shown(min(unknown))}", hint="names stand in [brackets]")
    chosen = [one for one in sections if (one.id in only if only else one.enabled)]
    new = {one.id: _of_section(depot, product, one, transport) for one in chosen}
    with depot.catalog.reading() as db:
        for repository in new.values():
            if db.names.repository(repository.path) is not None:
                raise UsageError(f"repository {repository.path} is there already", hint="issmedia repo set changes it")
    for one in chosen:
        _keep_secrets(depot, new[one.id], one)
    pinned = _store_keys(depot, keys)
    with depot.catalog.changing() as db:
        for label, repository in new.items():
            new[label] = msgspec.structs.replace(repository, keys=pinned)
            db.names.add_product(Product(product, product))
            db.names.add_repository(new[label])
            _note_keys(db, new[label], now=now)
    return [_outcome(one, new.get(one.id)) for one in sections]


def _of_section(depot: OwnedDepot, product: str, section: RepoSection, said: Transport) -> Repository:
    """Make the repository that a section describes."""
    label = checked_label(section.id)
    transport = section.transport.updated(said)
    if section.secrets and not said.credentials:
        where = _secrets_file(depot, checked_label(product), label)
        transport = msgspec.structs.replace(transport, credentials=str(where))
    checked_source(section.source, transport)
    checked_files(msgspec.structs.replace(transport, credentials=said.credentials))
    return Repository(product, label, section.name, section.source, transport=transport)


def _keep_secrets(depot: OwnedDepot, repository: Repository, section: RepoSection) -> None:
    """Write a section's passwords where only we can read them; before the catalog names the file."""
    path = _secrets_file(depot, repository.product, repository.label)
    if section.secrets and repository.transport.credentials == str(path):
        files.make_directory(path.parent, 0o700)
        text = "".join(f"{name} = {value}\n" for name, value in section.secrets.items())
        write_small(path, text.encode(), 0o600)


def _secrets_file(depot: OwnedDepot, product: str, label: str) -> Path:
    return depot.root.absolute() / "secrets" / product / label


def _outcome(section: RepoSection, added: Repository | None) -> FromFile:
    return FromFile(
        section=section.id,
        repository=added,
        gpgcheck=section.gpgcheck,
        repo_gpgcheck=section.repo_gpgcheck,
        gpgkeys=section.gpgkeys,
        passed_over=section.passed_over,
        credentials=added.transport.credentials if added else None,
    )


def _checked(source: str, transport: Transport) -> str:
    """Give back a source, once all that is said of it can be used."""
    checked_source(source, transport)
    checked_files(transport)
    return source


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
