"""init, product, repo: the names a site works with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import msgspec

from issmedia.base import files
from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError, UsageError
from issmedia.base.events import Note, Report, ignore
from issmedia.content.yum.judge import Judge
from issmedia.depot.catalog import Session
from issmedia.depot.depot import Depot, OwnedDepot, create_depot
from issmedia.depot.smallfile import write_small
from issmedia.model.documents import MAX_OPENPGP_KEY, Product, Repository
from issmedia.model.judgement import Policy
from issmedia.model.manifest import SiteName
from issmedia.model.names import checked_label, shown
from issmedia.model.openpgp import grouped
from issmedia.model.pinning import MAX_KEY_FILE, PinnedFile, VendorKey, day, repinned
from issmedia.model.repofile import RepoSection
from issmedia.model.selection import Selection
from issmedia.model.transport import NOTHING_CHOSEN, Kind, Transport
from issmedia.net.keyfile import fetch_key
from issmedia.net.upstream import checked_files, checked_source


class KeyFile(msgspec.Struct, frozen=True):
    """A file of keys to pin: its bytes, or None where they are to be fetched from `where`, a URL."""

    where: str
    data: bytes | None = None


class Signatures(msgspec.Struct, frozen=True):
    """What was said of upstream's signatures; nothing pinned goes, or changes, that `unpin` or `renew` does not name.

    Keys are named by their fingerprints. A policy `default` takes back what was chosen. `environment` names proxies.
    """

    keys: tuple[KeyFile, ...] = ()
    renew: tuple[str, ...] = ()
    unpin: tuple[str, ...] = ()
    gpgcheck: Policy | Literal["default"] | None = None
    repo_gpgcheck: Policy | Literal["default"] | None = None
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)

    def of(self, repository: Repository) -> Repository:
        """Take over the policies."""
        return msgspec.structs.replace(
            repository,
            gpgcheck=_policy(self.gpgcheck, repository.gpgcheck),
            repo_gpgcheck=_policy(self.repo_gpgcheck, repository.repo_gpgcheck),
        )


NOTHING_SAID = Signatures()


class Configured(msgspec.Struct, frozen=True):
    """A repository, and the keys that are pinned for it."""

    repository: Repository
    pinned: tuple[PinnedFile, ...] = ()


def init(root: Path, *, name: str, site_id: str, now: str) -> Depot:
    """Make a depot and a site identity; `name` is a label, so that bundles can be addressed to it."""
    return create_depot(root, SiteName(site_id, checked_label(name)), now=now)


def add_product(depot: OwnedDepot, label: str, *, name: str | None) -> Product:
    """Add a product."""
    product = Product(checked_label(label), name or label)
    with depot.catalog.changing() as db:
        if product.label in (one.label for one in db.names.products()):
            raise UsageError(
                f"product {label} is there already", hint=f"issmedia product show {label}; or choose another label"
            )
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
    signatures: Signatures = NOTHING_SAID,
    now: str,
    transport: Transport = NOTHING_CHOSEN,
    selection: Selection | None = None,
    report: Report = ignore,
) -> Configured:
    """Add a repository and, where it is absent, its product. Keys are reported before they are pinned.

    `source` is an absolute path, or a URL without credentials; `UsageError` for any other. `selection` is what is
    wanted of it.
    """
    product, label = split_path(path)
    source = _checked(source, transport)
    repository = Repository(product, label, name or path, source, transport=transport, selection=selection)
    found = _pinned(depot, signatures.of(repository), signatures, report)
    with depot.catalog.changing() as db:
        db.names.add_product(Product(product, product))
        db.names.add_repository(found.repository)
        _note_signatures(db, None, found, now=now)
    return found


def change_repository(
    depot: OwnedDepot,
    path: str,
    *,
    source: str | None,
    name: str | None,
    signatures: Signatures = NOTHING_SAID,
    select: Callable[[Selection], Selection] | None = None,
    now: str,
    transport: Transport = NOTHING_CHOSEN,
    report: Report = ignore,
) -> Configured:
    """Change what is given and leave the rest; keys are added to those pinned, `select` changes the selection."""
    if source is None and (transport.kind != Kind.PLAIN or transport.others):
        raise UsageError("a list or further base URLs want a source beside them", hint="issmedia repo set --source URL")
    old = repository_of(depot, path)
    chosen = old.transport.updated(transport)
    new = msgspec.structs.replace(
        old,
        name=name or old.name,
        source=old.source if source is None else source,
        transport=chosen if source is None else chosen.moved(transport),
        selection=old.selection if select is None else _selected(select(old.selection or Selection())),
    )
    if new.source is not None and (source is not None or transport != NOTHING_CHOSEN):
        _checked(new.source, new.transport)
    found = _pinned(depot, signatures.of(new), signatures, report)
    with depot.catalog.changing() as db:
        db.names.update_repository(found.repository)
        _note_signatures(db, old, found, now=now)
        if set(old.keys) - set(found.repository.keys):
            db.names.doubt(path)
    return found


def repository_of(depot: Depot, path: str) -> Repository:
    """Give the repository `PRODUCT/REPO`, or raise `UsageError`."""
    with depot.catalog.reading() as db:
        found = db.names.repository(path)
    if found is None:
        raise UsageError(f"no repository {shown(path)}", hint="issmedia repo list")
    return found


def pinned_keys(depot: Depot, repository: Repository) -> tuple[PinnedFile, ...]:
    """Read the keys that are pinned for a repository."""
    with ExitStack() as stack:
        return tuple(_held(stack.enter_context(Judge()), depot, repository)) if repository.keys else ()


def _selected(selection: Selection) -> Selection | None:
    """Give None where all is wanted."""
    return None if selection == Selection() else selection


def remove_repository(depot: OwnedDepot, path: str, *, now: str) -> None:
    """Forget a repository and its history of snapshots; blobs stay in the store, the ledger remembers."""
    with depot.catalog.changing() as db:
        db.names.remove_repository(path)
        db.ledger.append("repository removed", {"repository": path}, now=now)
    files.unlink(_secrets_file(depot, *split_path(path)))


class FromFile(msgspec.Struct, frozen=True):
    """What became of a section of a `.repo` file: added as `repository`, or None. `gpgkeys` are named, not trusted.

    `gpgcheck` and `repo_gpgcheck` are what the file says, None where it is silent.
    """

    section: str
    repository: Repository | None
    gpgcheck: bool | None
    repo_gpgcheck: bool | None
    gpgkeys: tuple[str, ...]
    passed_over: tuple[str, ...]
    credentials: str | None


def import_repofile(
    depot: OwnedDepot,
    product: str,
    sections: Sequence[RepoSection],
    *,
    only: Sequence[str],
    signatures: Signatures = NOTHING_SAID,
    now: str,
    transport: Transport = NOTHING_CHOSEN,
    report: Report = ignore,
) -> list[FromFile]:
    """Add repositories of a `.repo` file to a product: all that are enabled, or `only` those named. All, or none.

    What `transport` and `signatures` say goes before the file. The keys said are pinned for each; those that the file
    names are not. Passwords of the file go to files of mode 0600 in the depot.
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
    found = {one.id: _pinned(depot, _asked(new[one.id], one, signatures), signatures, report) for one in chosen}
    with depot.catalog.changing() as db:
        for each in found.values():
            db.names.add_product(Product(product, product))
            db.names.add_repository(each.repository)
            _note_signatures(db, None, each, now=now)
    return [
        _outcome(one, found[one.id].repository if one.id in found else None)
        for one in sections
        if not only or one.id in only
    ]


def _asked(repository: Repository, section: RepoSection, said: Signatures) -> Repository:
    """Take over what a section asks of signatures, once there is a key to check them by; what was said goes before.

    A file that asks for none gets a warning for each that is not good: that breaks no sync, and hides nothing.
    """
    if said.keys:
        gpgcheck: Policy | None = "warn" if section.gpgcheck is False else None
        policies: dict[bool | None, Policy | None] = {True: "require", False: "warn", None: None}
        repo_gpgcheck = policies[section.repo_gpgcheck]
        repository = msgspec.structs.replace(repository, gpgcheck=gpgcheck, repo_gpgcheck=repo_gpgcheck)
    return said.of(repository)


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


def _pinned(depot: OwnedDepot, repository: Repository, said: Signatures, report: Report) -> Configured:
    """Add keys to those of a repository, and take away, as it was said; the catalog does not know yet."""
    if not (repository.keys or said.keys or said.unpin or said.renew):
        return Configured(repository)
    with Judge() as judge:
        held = list(_held(judge, depot, repository))
        offered = [key for one in said.keys for key in judge.read_keys(_data(one, repository, said), where=one.where)]
    found = repinned(held, offered, renew=said.renew, unpin=said.unpin)
    for key in found:
        if isinstance(key, VendorKey):
            report(Note(f"pinning {key_text(key)}"))
    pinned = {one.blob: one for one in _stored(depot, found, held)}
    return Configured(msgspec.structs.replace(repository, keys=tuple(pinned)), tuple(pinned.values()))


def _stored(
    depot: OwnedDepot, pinned: Sequence[Digest | VendorKey], held: Sequence[PinnedFile]
) -> Iterator[PinnedFile]:
    """Keep each new key as a blob of its own."""
    known = {one.blob: one for one in held}
    with depot.store.writing() as writing:
        for one in pinned:
            yield PinnedFile(writing.add_bytes(one.armor), (one,)) if isinstance(one, VendorKey) else known[one]


def _held(judge: Judge, depot: Depot, repository: Repository) -> Iterator[PinnedFile]:
    """Read what is pinned; a file that an earlier issmedia took and nobody should trust says so."""
    for blob in repository.keys:
        try:
            keys = judge.read_keys(depot.store.read(blob, MAX_OPENPGP_KEY), where=blob)
        except FormatError as error:
            yield PinnedFile(blob, (), error.message)
        else:
            yield PinnedFile(blob, keys)


def _data(key: KeyFile, repository: Repository, said: Signatures) -> bytes:
    """Give the bytes of a file of keys, fetched where that is needed."""
    if key.data is not None:
        return key.data
    sources = (repository.source or "", *repository.transport.others)
    return fetch_key(
        key.where,
        limit=MAX_KEY_FILE,
        sources=sources,
        transport=repository.transport,
        environment=said.environment,
    )


def key_text(key: VendorKey) -> str:
    """Describe a key in a line: fingerprint, user ids, until when."""
    life = "REVOKED" if key.revoked else f"expires {day(key.expires)}" if key.expires else "does not expire"
    return f"{grouped(key.fingerprint)}  {', '.join(map(shown, key.user_ids)) or '(no user id)'}  {life}"


def _policy(said: Policy | Literal["default"] | None, before: Policy | None) -> Policy | None:
    return before if said is None else None if said == "default" else said


def _note_signatures(db: Session, old: Repository | None, found: Configured, *, now: str) -> None:
    """Record what is pinned and what is asked of signatures, where that changed."""
    new = found.repository
    if new.keys != (old.keys if old else ()):
        fingerprints = sorted({key.fingerprint for one in found.pinned for key in one.keys})
        facts = {"repository": new.path, "keys": list(new.keys), "fingerprints": fingerprints}
        db.ledger.append("keys pinned", facts, now=now)
    if (new.gpgcheck, new.repo_gpgcheck) != ((old.gpgcheck, old.repo_gpgcheck) if old else (None, None)):
        policies = {"repository": new.path, "gpgcheck": new.gpgcheck, "repo_gpgcheck": new.repo_gpgcheck}
        db.ledger.append("signature policy", policies, now=now)
