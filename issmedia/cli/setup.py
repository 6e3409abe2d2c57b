"""init, product."""

import uuid

import click

from issmedia.cli.face import Face, command
from issmedia.cli.render import table
from issmedia.cli.repos import repositories_table
from issmedia.depot.depot import open_depot
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
    face.answer(document, lambda: f"{product.label}: {product.name}\n" + repositories_table(repositories))


@command(product_command, "remove", "issmedia product remove alma9")
@click.argument("label")
def product_remove(face: Face, label: str) -> None:
    """Remove an empty product."""
    with open_depot(face.root).owned("product remove", now=face.now) as depot:
        setup.remove_product(depot, label)
    face.answer({"removed": label}, lambda: f"product {label} removed")
