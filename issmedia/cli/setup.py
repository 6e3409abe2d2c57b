"""init, product, repo."""

import uuid
from pathlib import Path
from typing import BinaryIO

import click

from issmedia.cli.face import Face, command
from issmedia.cli.render import table
from issmedia.depot.depot import open_depot
from issmedia.model.documents import Repository
from issmedia.ops import setup


@command(None, "init", "issmedia --depot /srv/issmedia init --name hq")
@click.option("--name", default="site", show_default=True, metavar="SITE", help="The site's label.")
def init_command(face: Face, name: str) -> None:
    """Make a depot and a site identity."""
    site = setup.init(face.root, name=name, site_id=uuid.uuid4().hex, now=face.now).site()
    document = {"depot": str(face.root), "site": site}
    face.answer(document, lambda: f"site {site.name} ({site.id}) has its depot at {face.root}")


@click.group("product")
def product_command() -> None:
    """Products: groups of repositories."""


@command(product_command, "add", "issmedia product add alma9 --name 'AlmaLinux 9'")
@click.argument("label")
@click.option("--name", help="A name for people.")
def product_add(face: Face, label: str, name: str | None) -> None:
    """Add a product."""
    with open_depot(face.root).owned("product add", now=face.now) as depot:
        product = setup.add_product(depot, label, name=name)
    face.answer(product, lambda: f"product {product.label}: {product.name}")


@command(product_command, "list", "issmedia product list")
def product_list(face: Face) -> None:
    """List products."""
    with open_depot(face.root).catalog.reading() as db:
        products = db.names.products()
    face.answer(products, lambda: table(("PRODUCT", "NAME"), [(one.label, one.name) for one in products]))


@command(product_command, "show", "issmedia product show alma9")
@click.argument("label")
def product_show(face: Face, label: str) -> None:
    """Show a product's repositories."""
    with open_depot(face.root).catalog.reading() as db:
        product = db.names.product(label)
        repositories = db.names.repositories(label)
    document = {"product": product, "repositories": repositories}
    face.answer(document, lambda: f"{product.label}: {product.name}\n" + _repositories(repositories))


@command(product_command, "remove", "issmedia product remove alma9")
@click.argument("label")
def product_remove(face: Face, label: str) -> None:
    """Remove an empty product."""
    with open_depot(face.root).owned("product remove", now=face.now) as depot:
        setup.remove_product(depot, label)
    face.answer({"removed": label}, lambda: f"product {label} removed")


@click.group("repo")
def repo_command() -> None:
    """Repositories: where they come from, their pinned keys."""


@command(repo_command, "add", "issmedia repo add alma9/baseos https://mirror.example/9/BaseOS/x86_64/os/")
@click.argument("path", metavar="PRODUCT/REPO")
@click.argument("source")
@click.option("--name", help="A name for people.")
@click.option("--gpg-key", "keys", multiple=True, type=click.File("rb"), help="Pin an OpenPGP public key (armored).")
def repo_add(face: Face, path: str, source: str, name: str | None, keys: tuple[BinaryIO, ...]) -> None:
    """Add a repository; SOURCE is a directory, or a file:// or http(s):// URL."""
    with open_depot(face.root).owned("repo add", now=face.now) as depot:
        pinned = [key.read() for key in keys]
        repository = setup.add_repository(depot, path, _absolute(source), name=name, keys=pinned, now=face.now)
    face.answer(repository, lambda: f"{repository.path} comes from {repository.source}")


@command(repo_command, "list", "issmedia repo list")
def repo_list(face: Face) -> None:
    """List repositories."""
    with open_depot(face.root).catalog.reading() as db:
        repositories = db.names.repositories()
    face.answer(repositories, lambda: _repositories(repositories))


@command(repo_command, "show", "issmedia repo show alma9/baseos")
@click.argument("path", metavar="PRODUCT/REPO")
def repo_show(face: Face, path: str) -> None:
    """Show a repository and its snapshots."""
    with open_depot(face.root).catalog.reading() as db:
        snapshots = db.names.snapshots(path)
        (repository,) = db.names.select([path])
    rows = [
        (str(number), one.taken, one.tree[:16], str(one.packages), str(len(one.incomplete) or ""))
        for number, one in enumerate(snapshots, 1)
    ]
    document = {"repository": repository, "snapshots": snapshots}
    face.answer(
        document,
        lambda: _repositories([repository]) + "\n\n" + table(("NUMBER", "TAKEN", "TREE", "PACKAGES", "LEFT OUT"), rows),
    )


@command(repo_command, "set", "issmedia repo set alma9/baseos --gpg-key RPM-GPG-KEY-AlmaLinux-9")
@click.argument("path", metavar="PRODUCT/REPO")
@click.option("--source", help="Where it comes from from now on.")
@click.option("--name", help="A name for people.")
@click.option("--gpg-key", "keys", multiple=True, type=click.File("rb"), help="Pin these keys instead of those before.")
def repo_set(face: Face, path: str, source: str | None, name: str | None, keys: tuple[BinaryIO, ...]) -> None:
    """Change a repository; what is not named stays."""
    with open_depot(face.root).owned("repo set", now=face.now) as depot:
        pinned = [key.read() for key in keys] or None
        where = None if source is None else _absolute(source)
        repository = setup.change_repository(depot, path, source=where, name=name, keys=pinned, now=face.now)
    face.answer(repository, lambda: f"{repository.path}: {len(repository.keys)} key(s) pinned")


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


def _absolute(source: str) -> str:
    """Find a directory from where the user stands; a URL, or nothing, stays as it is."""
    return source if "://" in source or not source else str(Path(source).absolute())


def _repositories(repositories: list[Repository]) -> str:
    rows = [(one.path, str(len(one.keys) or ""), one.source or "(imported)") for one in repositories]
    return table(("REPOSITORY", "KEYS", "SOURCE"), rows)
