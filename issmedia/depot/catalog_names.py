"""Products, repositories and snapshots by name; settings of the site."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from issmedia.base.digest import Digest
from issmedia.base.errors import DepotError, UsageError
from issmedia.depot.catalog_schema import products, repositories, repository_keys, settings, snapshots
from issmedia.model.documents import Product, Repository, Snapshot
from issmedia.model.names import shown


class Names:
    """Names → documents, within one transaction."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def setting(self, key: str) -> str | None:
        """Read a setting of the site."""
        return self._db.execute(select(settings.c.value).where(settings.c.key == key)).scalar()

    def set_setting(self, key: str, value: str) -> None:
        """Write a setting of the site."""
        self._db.execute(delete(settings).where(settings.c.key == key))
        self._db.execute(insert(settings).values(key=key, value=value))

    def forget_setting(self, key: str) -> None:
        """Remove a setting of the site; one that is not there is fine."""
        self._db.execute(delete(settings).where(settings.c.key == key))

    def products(self) -> list[Product]:
        """List products, sorted by label."""
        rows = self._db.execute(select(products.c.label, products.c.name).order_by(products.c.label))
        return [Product(row.label, row.name) for row in rows]

    def product(self, label: str) -> Product:
        """Give the product of this label."""
        found = next((one for one in self.products() if one.label == label), None)
        if found is None:
            raise UsageError(f"no product {shown(label)}", hint="issmedia product list")
        return found

    def add_product(self, product: Product) -> None:
        """Add a product; one that differs only in case is refused, one that is there keeps its name."""
        found = self._db.execute(select(products.c.label).where(products.c.folded == product.label.casefold())).scalar()
        if found == product.label:
            return
        _refuse_clash("product", product.label, found)
        row = {"label": product.label, "folded": product.label.casefold(), "name": product.name}
        self._db.execute(insert(products).values(**row))

    def remove_product(self, label: str) -> None:
        """Remove an empty product."""
        if self.repositories(label):
            raise UsageError(f"product {label} still has repositories", hint="issmedia repo remove them first")
        if not self._db.execute(delete(products).where(products.c.label == label)).rowcount:
            raise UsageError(f"no product {shown(label)}", hint="issmedia product list")

    def repositories(self, product: str | None = None) -> list[Repository]:
        """List repositories, sorted by product and label; of one product where it is given."""
        query = (
            select(repositories, products.c.label.label("product_label"))
            .join(products, products.c.id == repositories.c.product)
            .order_by(products.c.label, repositories.c.label)
        )
        if product is not None:
            query = query.where(products.c.label == product)
        return [self._repository(row) for row in self._db.execute(query)]

    def repository(self, path: str) -> Repository | None:
        """Give the repository `PRODUCT/REPO`, or None."""
        row = self._row(path)
        return None if row is None else self._repository(row)

    def select(self, what: Sequence[str]) -> list[Repository]:
        """Give the repositories that PRODUCT and PRODUCT/REPO name, sorted, each once; nothing named means all."""
        everything = self.repositories()
        if not what:
            return everything
        products = {product.label for product in self.products()}
        for name in what:
            if name not in products and not any(_matches(repository, name) for repository in everything):
                raise UsageError(f"no product or repository {shown(name)}", hint="issmedia repo list")
        return [one for one in everything if any(_matches(one, name) for name in what)]

    def add_repository(self, repository: Repository) -> None:
        """Add a repository to a product that is there; a label that differs only in case is refused."""
        product = self._db.execute(select(products.c.id).where(products.c.label == repository.product)).scalar_one()
        found = self._db.execute(
            select(repositories.c.label).where(
                repositories.c.product == product, repositories.c.folded == repository.label.casefold()
            )
        ).scalar()
        if found is not None:
            _refuse_clash("repository", repository.path, found, same=True)
        self._db.execute(
            insert(repositories).values(
                product=product,
                label=repository.label,
                folded=repository.label.casefold(),
                name=repository.name,
                content_type=repository.content_type,
                source=repository.source,
            )
        )
        self.set_keys(repository.path, repository.keys)

    def update_repository(self, repository: Repository) -> None:
        """Change name, source and keys of a repository."""
        row = self._known(repository.path)
        self._db.execute(
            update(repositories)
            .where(repositories.c.id == row.id)
            .values(name=repository.name, source=repository.source)
        )
        self.set_keys(repository.path, repository.keys)

    def set_keys(self, path: str, keys: tuple[Digest, ...]) -> None:
        """Pin these blobs of OpenPGP keys for a repository, instead of those before."""
        row = self._known(path)
        self._db.execute(delete(repository_keys).where(repository_keys.c.repository == row.id))
        for position, blob in enumerate(keys):
            self._db.execute(insert(repository_keys).values(repository=row.id, blob=blob, position=position))

    def remove_repository(self, path: str) -> None:
        """Forget a repository and its snapshots; blobs stay."""
        row = self._known(path)
        self._db.execute(delete(repository_keys).where(repository_keys.c.repository == row.id))
        self._db.execute(delete(snapshots).where(snapshots.c.repository == row.id))
        self._db.execute(delete(repositories).where(repositories.c.id == row.id))

    def add_snapshot(self, snapshot: Snapshot) -> None:
        """Add a snapshot and make it the repository's current one."""
        row = self._known(snapshot.repository)
        added = self._db.execute(
            insert(snapshots).values(repository=row.id, tree=snapshot.tree, document=msgspec.json.encode(snapshot))
        )
        (key,) = added.inserted_primary_key or (None,)
        self._db.execute(update(repositories).where(repositories.c.id == row.id).values(current=key))

    def current(self, path: str) -> Snapshot | None:
        """Give a repository's current snapshot, or None before the first."""
        row = self._row(path)
        if row is None or row.current is None:
            return None
        document = self._db.execute(select(snapshots.c.document).where(snapshots.c.id == row.current)).scalar_one()
        return _snapshot(document, path)

    def origins(self) -> dict[str, tuple[str, str]]:
        """Map PRODUCT/REPO → (site id, when that site took it) over current snapshots that came by import."""
        current = (self.current(repo.path) for repo in self.repositories())
        return {
            one.repository: (one.origin, one.origin_taken) for one in current if one and one.origin and one.origin_taken
        }

    def snapshots(self, path: str) -> list[Snapshot]:
        """List a repository's snapshots, oldest first."""
        row = self._known(path)
        query = select(snapshots.c.document).where(snapshots.c.repository == row.id).order_by(snapshots.c.id)
        return [_snapshot(found.document, path) for found in self._db.execute(query)]

    def snapshot_count(self, path: str) -> int:
        """Count a repository's snapshots."""
        row = self._known(path)
        query = select(func.count()).select_from(snapshots).where(snapshots.c.repository == row.id)
        return self._db.execute(query).scalar_one()

    def trees(self) -> list[Digest]:
        """List the digests of all trees that a snapshot names, sorted."""
        query = select(snapshots.c.tree).distinct().order_by(snapshots.c.tree)
        return [Digest(row.tree) for row in self._db.execute(query)]

    def _row(self, path: str) -> Row[tuple[object, ...]] | None:
        product, _, label = path.partition("/")
        return self._db.execute(
            select(repositories, products.c.label.label("product_label"))
            .join(products, products.c.id == repositories.c.product)
            .where(products.c.label == product, repositories.c.label == label)
        ).first()

    def _known(self, path: str) -> Row[tuple[object, ...]]:
        row = self._row(path)
        if row is None:
            raise UsageError(f"no repository {shown(path)}", hint="issmedia repo list")
        return row

    def _repository(self, row: Row[tuple[object, ...]]) -> Repository:
        found = self._db.execute(
            select(repository_keys.c.blob)
            .where(repository_keys.c.repository == row.id)
            .order_by(repository_keys.c.position)
        )
        keys = tuple(Digest(key.blob) for key in found)
        return Repository(row.product_label, row.label, row.name, row.source, row.content_type, keys)


def _snapshot(document: bytes, path: str) -> Snapshot:
    try:
        return msgspec.json.decode(document, type=Snapshot)
    except msgspec.MsgspecError as cause:
        raise DepotError(
            f"a snapshot's document is damaged: {cause}",
            where=f"catalog.sqlite, {path}",
            hint="restore the catalog from a backup",
        ) from cause


def _matches(repository: Repository, name: str) -> bool:
    return name in (repository.product, repository.path)


def _refuse_clash(kind: str, label: str, found: str | None, *, same: bool = False) -> None:
    if found is None:
        return
    if same and label.endswith(found):
        raise UsageError(f"{kind} {label} is there already", hint="issmedia repo set changes it")
    raise DepotError(
        f"{kind} {label} differs only in case from {found}",
        hint="labels are unique without regard to case; choose another, or use the one that is there",
    )
