"""repo."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from issmedia.base.units import count_text
from issmedia.cli.face import Face, command
from issmedia.cli.fetched import fetched_document, fetched_lines
from issmedia.cli.pinning import pinned_documents, pinned_lines, pinning_options, repinning_options
from issmedia.cli.render import table
from issmedia.cli.selecting import Select, selection_options, words
from issmedia.cli.transport import how_options, where_options
from issmedia.depot.depot import open_depot
from issmedia.model.documents import Repository
from issmedia.model.names import shown
from issmedia.model.repofile import MAX_FILE, read_repofile
from issmedia.model.selection import Selection
from issmedia.model.transport import Transport
from issmedia.ops import setup


@click.group("repo")
def repo_command() -> None:
    """Repositories: where they come from, their pinned keys."""


@command(repo_command, "add", "issmedia repo add alma9/baseos https://mirror.example/9/BaseOS/x86_64/os/")
@click.argument("path", metavar="PRODUCT/REPO")
@click.argument("source")
@click.option("--name", help="A name for people.")
@pinning_options
@where_options
@how_options
@selection_options
def repo_add(
    face: Face,
    path: str,
    source: str,
    *,
    name: str | None,
    signatures: setup.Signatures,
    transport: Transport,
    select: Select | None,
) -> None:
    """Add a repository; SOURCE is a directory, a file:// or http(s):// URL, or the URL of a list of mirrors."""
    with open_depot(face.root).owned("repo add", now=face.now) as depot, face.reporting() as report:
        found = setup.add_repository(
            depot,
            path,
            _absolute(source),
            name=name,
            signatures=signatures,
            now=face.now,
            transport=transport,
            selection=select(Selection()) if select else None,
            report=report,
        )
    _answer(face, found, f"{found.repository.path} comes from {found.repository.source}")


@command(repo_command, "import", "issmedia repo import epel.repo --product epel --releasever 9 --basearch x86_64")
@click.argument("file", type=click.File("rb"))
@click.option("--product", required=True, help="The product they are added to.")
@click.option("--only", multiple=True, metavar="SECTION", help="Only this [section], also where it is not enabled.")
@pinning_options
@where_options
@how_options
def repo_import(
    face: Face,
    file: BinaryIO,
    *,
    product: str,
    only: tuple[str, ...],
    signatures: setup.Signatures,
    transport: Transport,
) -> None:
    """Add the repositories of dnf's .repo FILE; what is said here goes before the file. Keys are pinned for each."""
    sections = read_repofile(file.read(MAX_FILE + 1), where=shown(file.name), only=only)
    with open_depot(face.root).owned("repo import", now=face.now) as depot, face.reporting() as report:
        found = setup.import_repofile(
            depot,
            product,
            sections,
            only=only,
            signatures=signatures,
            now=face.now,
            transport=transport,
            report=report,
        )
    face.answer({"sections": found}, lambda: "\n".join(map(_imported, found)))


@command(repo_command, "list", "issmedia repo list")
def repo_list(face: Face) -> None:
    """List repositories."""
    with open_depot(face.root).catalog.reading() as db:
        repositories = db.names.repositories()
    face.answer(repositories, lambda: repositories_table(repositories))


@command(repo_command, "show", "issmedia repo show alma9/baseos")
@click.argument("path", metavar="PRODUCT/REPO")
def repo_show(face: Face, path: str) -> None:
    """Show a repository, how it is fetched and judged, and its snapshots; of secrets the file's path, no content."""
    depot = open_depot(face.root)
    with depot.catalog.reading() as db:
        snapshots = db.names.snapshots(path)
        (repository,) = db.names.select([path])
    pinned = setup.pinned_keys(depot, repository)
    rows = [
        (str(number), one.taken, one.tree[:16], str(one.packages), str(len(one.incomplete) or ""))
        for number, one in enumerate(snapshots, 1)
    ]
    document = {"repository": fetched_document(repository), "pinned": pinned_documents(pinned), "snapshots": snapshots}
    history = table(("NUMBER", "TAKEN", "TREE", "PACKAGES", "LEFT OUT"), rows)
    facts = [*fetched_lines(repository), *pinned_lines(repository, pinned)]
    face.answer(document, lambda: "\n".join([repositories_table([repository]), *facts, "", history]))


@command(repo_command, "set", "issmedia repo set alma9/baseos --gpg-key RPM-GPG-KEY-AlmaLinux-9")
@click.argument("path", metavar="PRODUCT/REPO")
@click.option("--source", help="Where it comes from from now on.")
@click.option("--name", help="A name for people.")
@repinning_options
@where_options
@how_options
@selection_options
def repo_set(
    face: Face,
    path: str,
    *,
    source: str | None,
    name: str | None,
    signatures: setup.Signatures,
    transport: Transport,
    select: Select | None,
) -> None:
    """Change a repository; what is not named stays. Keys are added to those that are pinned."""
    with open_depot(face.root).owned("repo set", now=face.now) as depot, face.reporting() as report:
        found = setup.change_repository(
            depot,
            path,
            source=None if source is None else _absolute(source),
            name=name,
            signatures=signatures,
            select=select,
            now=face.now,
            transport=transport,
            report=report,
        )
    count = sum(len(one.keys) for one in found.pinned)
    wanted = f"; wanted: {words(found.repository.selection) or 'all'}" if select else ""
    _answer(face, found, f"{found.repository.path}: {count} key(s) pinned{wanted}")


@command(repo_command, "remove", "issmedia repo remove alma9/baseos --yes")
@click.argument("path", metavar="PRODUCT/REPO")
@click.option("--yes", is_flag=True, help="Do it; its history of snapshots is forgotten.")
def repo_remove(face: Face, path: str, yes: bool) -> None:
    """Forget a repository; its blobs stay in the store."""
    if not yes:
        raise click.UsageError(f"this forgets {path} and its snapshots; say --yes to do it")
    with open_depot(face.root).owned("repo remove", now=face.now) as depot:
        setup.remove_repository(depot, path, now=face.now)
    face.answer({"removed": path}, lambda: f"repository {path} removed")


def _answer(face: Face, found: setup.Configured, line: str) -> None:
    """Show a repository as it is now."""
    document = {**msgspec.to_builtins(found.repository), "pinned": pinned_documents(found.pinned)}
    face.answer(document, lambda: "\n".join([line, *pinned_lines(found.repository, found.pinned)]))


def _absolute(source: str) -> str:
    """Find a directory from where the user stands; a URL, or nothing, stays as it is."""
    return source if "://" in source or not source else str(Path(source).absolute())


def repositories_table(repositories: list[Repository]) -> str:
    """Show repositories, their keys and where they come from."""
    rows = [
        (one.path, str(len(one.keys) or ""), one.source or "(imported)", words(one.selection)) for one in repositories
    ]
    return table(("REPOSITORY", "KEYS", "SOURCE", "WANTED"), rows)


def _imported(one: setup.FromFile) -> str:
    """Say what became of a section, and what is left to do."""
    if one.repository is None:
        return f"[{shown(one.section)}] is not enabled: left out (--only {shown(one.section)} takes it)"
    lines = [f"{one.repository.path} comes from {one.repository.source}"]
    lines += _asked_for(one, one.repository)
    if one.gpgkeys and not one.repository.keys:
        lines.append(f"  the file names {count_text(len(one.gpgkeys), 'key')}; check, then pin with --gpg-key:")
        lines += [f"    {shown(key)}" for key in one.gpgkeys]
    if one.credentials:
        lines.append(f"  credentials: {one.credentials}")
    if one.passed_over:
        lines.append(f"  without meaning here: {', '.join(map(shown, one.passed_over))}")
    return "\n".join(lines)


def _asked_for(one: setup.FromFile, added: Repository) -> Iterator[str]:
    """Say what the file asks of signatures, and what became of that."""
    for name, said, policy in (
        ("gpgcheck", one.gpgcheck, added.gpgcheck),
        ("repo_gpgcheck", one.repo_gpgcheck, added.repo_gpgcheck),
    ):
        if said is False and policy == "warn":
            yield f"  {name}=0 in the file: what is not good is told, and taken (--{name.replace('_', '-')} require)"
        elif said and not added.keys:
            yield f"  {name}=1 in the file: signatures are checked once a key is pinned"
