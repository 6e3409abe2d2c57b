"""Products, repositories and snapshots by name; settings of the site."""

import sqlite3
from collections.abc import Sequence, Set
from typing import TypeVar

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import DepotError, UsageError
from issmedia.model.documents import Product, Repository, Snapshot
from issmedia.model.judgement import Policy
from issmedia.model.names import shown
from issmedia.model.selection import Selection
from issmedia.model.transport import Transport

Document = TypeVar("Document")


class Names:
    """Names → documents, within one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def setting(self, key: str) -> str | None:
        """Read a setting of the site."""
        found = self._db.execute("SELECT value FROM settings WHERE key = :key", {"key": key}).fetchone()
        return found["value"] if found else None

    def set_setting(self, key: str, value: str) -> None:
        """Write a setting of the site."""
        self._db.execute(
            """
            INSERT INTO settings (key, value) VALUES (:key, :value)
            ON CONFLICT (key) DO UPDATE SET value = excluded.value
            """,
            {"key": key, "value": value},
        )

    def forget_setting(self, key: str) -> None:
        """Remove a setting of the site; one that is not there is fine."""
        self._db.execute("DELETE FROM settings WHERE key = :key", {"key": key})

    def products(self) -> list[Product]:
        """List products, sorted by label."""
        rows = self._db.execute("SELECT label, name FROM products ORDER BY label")
        return [Product(label, name) for label, name in rows]

    def product(self, label: str) -> Product:
        """Give the product of this label."""
        found = next((one for one in self.products() if one.label == label), None)
        if found is None:
            raise UsageError(f"no product {shown(label)}", hint="issmedia product list")
        return found

    def add_product(self, product: Product) -> None:
        """Add a product; one that differs only in case is refused, one that is there keeps its name."""
        found = self._product_like(product.label)
        _refuse_clash("product", product.label, found)
        if found is None:
            row = {"label": product.label, "folded": product.label.casefold(), "name": product.name}
            self._db.execute("INSERT INTO products (label, folded, name) VALUES (:label, :folded, :name)", row)

    def remove_product(self, label: str) -> None:
        """Remove an empty product."""
        if self.repositories(label):
            raise UsageError(f"product {label} still has repositories", hint="issmedia repo remove them first")
        if not self._db.execute("DELETE FROM products WHERE label = :label", {"label": label}).rowcount:
            raise UsageError(f"no product {shown(label)}", hint="issmedia product list")

    def repositories(self, product: str | None = None) -> list[Repository]:
        """List repositories, sorted by product and label; of one product where it is given."""
        rows = self._db.execute(
            """
            SELECT repositories.*, products.label AS product_label
            FROM repositories
            JOIN products ON products.id = repositories.product
            ORDER BY products.label, repositories.label
            """
        )
        return [self._repository(row) for row in rows if product in (None, row["product_label"])]

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

    def require_distinct(self, path: str) -> None:
        """Refuse a PRODUCT/REPO whose product or label differs only in case from one that is there."""
        product, _, label = path.partition("/")
        _refuse_clash("product", product, self._product_like(product))
        _refuse_clash("repository", path, self._repository_like(product, label))

    def add_repository(self, repository: Repository) -> None:
        """Add a repository to a product that is there; a label that differs only in case is refused."""
        found = self._repository_like(repository.product, repository.label)
        _refuse_clash("repository", repository.path, found)
        if found is not None:
            raise UsageError(f"repository {repository.path} is there already", hint="issmedia repo set changes it")
        row = {
            "product": repository.product,
            "label": repository.label,
            "folded": repository.label.casefold(),
            "name": repository.name,
            "content_type": repository.content_type,
            **_how_wanted(repository),
        }
        self._db.execute(
            """
            INSERT INTO repositories (
                product, label, folded, name, content_type, source, transport, selection, gpgcheck, repo_gpgcheck
            )
            SELECT id, :label, :folded, :name, :content_type, :source, :transport, :selection, :gpgcheck, :repo_gpgcheck
            FROM products WHERE label = :product
            """,
            row,
        )
        self.set_keys(repository.path, repository.keys)

    def update_repository(self, repository: Repository) -> None:
        """Change name, source, transport, selection, policies and keys of a repository."""
        row = {"id": self._known(repository.path)["id"], "name": repository.name, **_how_wanted(repository)}
        self._db.execute(
            """
            UPDATE repositories
            SET name = :name, source = :source, transport = :transport, selection = :selection,
                gpgcheck = :gpgcheck, repo_gpgcheck = :repo_gpgcheck
            WHERE id = :id
            """,
            row,
        )
        self.set_keys(repository.path, repository.keys)

    def set_keys(self, path: str, keys: tuple[Digest, ...]) -> None:
        """Pin these blobs of OpenPGP keys for a repository, instead of those before."""
        row = self._known(path)
        self._db.execute("DELETE FROM repository_keys WHERE repository = :id", {"id": row["id"]})
        self._db.executemany(
            "INSERT INTO repository_keys (repository, blob, position) VALUES (:repository, :blob, :position)",
            [{"repository": row["id"], "blob": blob, "position": position} for position, blob in enumerate(keys)],
        )

    def remove_repository(self, path: str) -> None:
        """Forget a repository and its snapshots; blobs stay."""
        known = {"id": self._known(path)["id"]}
        self._db.execute("DELETE FROM repository_keys WHERE repository = :id", known)
        self._db.execute("DELETE FROM snapshots WHERE repository = :id", known)
        self._db.execute("DELETE FROM repositories WHERE id = :id", known)

    def add_snapshot(self, snapshot: Snapshot) -> None:
        """Add a snapshot and make it the repository's current one: ids grow, so the newest has the highest."""
        row = {
            "repository": self._known(snapshot.repository)["id"],
            "tree": snapshot.tree,
            "document": msgspec.json.encode(snapshot),
        }
        self._db.execute(
            "INSERT INTO snapshots (repository, tree, document) VALUES (:repository, :tree, :document)", row
        )
        self._db.execute(
            """
            UPDATE repositories
            SET current = (SELECT max(id) FROM snapshots WHERE repository = :repository)
            WHERE id = :repository
            """,
            row,
        )

    def restate(self, snapshot: Snapshot) -> None:
        """Write anew what is known of a repository's current snapshot, whose tree is the same."""
        self._db.execute(
            """
            UPDATE snapshots SET document = :document
            WHERE id = (SELECT current FROM repositories WHERE id = :repository) AND tree = :tree
            """,
            {
                "document": msgspec.json.encode(snapshot),
                "repository": self._known(snapshot.repository)["id"],
                "tree": snapshot.tree,
            },
        )

    def ever_signed(self, path: str) -> bool:
        """Say whether any snapshot of a repository, also one that was left, was of metadata with a signature."""
        return any(
            one.signed_metadata or one.upstream_signed or (one.trust is not None and one.trust.saw_signature)
            for one in self.snapshots(path)
        )

    def doubt(self, path: str) -> None:
        """Forget what signatures were worth in all snapshots of a repository, by keys that are gone."""
        for row in list(self._db.execute("SELECT id, document FROM snapshots WHERE repository = :id", self._id(path))):
            one = _snapshot(row["document"], path)
            if one.trust is not None:
                doubted = msgspec.structs.replace(one, trust=one.trust.doubted())
                self._db.execute(
                    "UPDATE snapshots SET document = :document WHERE id = :id",
                    {"id": row["id"], "document": msgspec.json.encode(doubted)},
                )

    def _id(self, path: str) -> dict[str, int]:
        return {"id": self._known(path)["id"]}

    def set_current(self, path: str, tree: Digest | None) -> None:
        """Make the newest snapshot of a tree the repository's current one; None leaves the repository without one."""
        self._db.execute(
            """
            UPDATE repositories
            SET current = (SELECT max(id) FROM snapshots WHERE repository = :repository AND tree = :tree)
            WHERE id = :repository
            """,
            {"repository": self._known(path)["id"], "tree": tree},
        )
        if tree is not None and self.current(path) is None:
            raise DepotError(f"no snapshot of tree {tree}", where=path, hint=f"issmedia repo show {path}")

    def current(self, path: str) -> Snapshot | None:
        """Give a repository's current snapshot, or None before the first."""
        found = self._db.execute(
            """
            SELECT repositories.current, snapshots.document
            FROM repositories
            JOIN products ON products.id = repositories.product
            LEFT JOIN snapshots ON snapshots.id = repositories.current
            WHERE products.label = :product AND repositories.label = :label
            """,
            _labels(path),
        ).fetchone()
        if found is None or found["current"] is None:
            return None
        return _snapshot(found["document"], path)

    def current_snapshots(self) -> list[Snapshot]:
        """List the current snapshots of all repositories that have one, sorted as those are."""
        found = (self.current(repo.path) for repo in self.repositories())
        return [one for one in found if one is not None]

    def origins(self, bundles: Set[str]) -> dict[str, tuple[str, str]]:
        """Map PRODUCT/REPO → (site id, when that site took it) over current snapshots that came by these bundles."""
        return {
            one.repository: (one.origin, one.origin_taken)
            for one in self.current_snapshots()
            if one.bundle in bundles and one.origin and one.origin_taken
        }

    def numbered(self, path: str, number: int) -> Snapshot:
        """Give a repository's n-th snapshot, 1 the oldest, or raise `UsageError`."""
        found = self.snapshots(path)
        if not 1 <= number <= len(found):
            raise UsageError(f"{path} has {len(found)} snapshots, not {number}", hint=f"issmedia repo show {path}")
        return found[number - 1]

    def snapshots(self, path: str) -> list[Snapshot]:
        """List a repository's snapshots, oldest first."""
        rows = self._db.execute(
            "SELECT document FROM snapshots WHERE repository = :id ORDER BY id", {"id": self._known(path)["id"]}
        )
        return [_snapshot(row["document"], path) for row in rows]

    def trees(self) -> list[Digest]:
        """List the digests of all trees that a snapshot names, sorted."""
        rows = self._db.execute("SELECT DISTINCT tree FROM snapshots ORDER BY tree")
        return [Digest(row["tree"]) for row in rows]

    def _row(self, path: str) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._db.execute(
            """
            SELECT repositories.*, products.label AS product_label
            FROM repositories
            JOIN products ON products.id = repositories.product
            WHERE products.label = :product AND repositories.label = :label
            """,
            _labels(path),
        ).fetchone()
        return found

    def _known(self, path: str) -> sqlite3.Row:
        row = self._row(path)
        if row is None:
            raise UsageError(f"no repository {shown(path)}", hint="issmedia repo list")
        return row

    def _repository(self, row: sqlite3.Row) -> Repository:
        keys = self._db.execute(
            "SELECT blob FROM repository_keys WHERE repository = :id ORDER BY position", {"id": row["id"]}
        )
        path = f"{row['product_label']}/{row['label']}"
        return Repository(
            row["product_label"],
            row["label"],
            row["name"],
            row["source"],
            row["content_type"],
            tuple(Digest(key["blob"]) for key in keys),
            _decoded(row["transport"], Transport, path, "how it is fetched"),
            _selection(row["selection"], path),
            _policy(row["gpgcheck"], path),
            _policy(row["repo_gpgcheck"], path),
        )

    def _product_like(self, label: str) -> str | None:
        """Give the label that is there and equals this one without regard to case, or None."""
        folded = {"folded": label.casefold()}
        found = self._db.execute("SELECT label FROM products WHERE folded = :folded", folded).fetchone()
        return found["label"] if found else None

    def _repository_like(self, product: str, label: str) -> str | None:
        """Give the PRODUCT/REPO of this product that equals it without regard to the case of REPO, or None."""
        found = self._db.execute(
            """
            SELECT repositories.label
            FROM repositories
            JOIN products ON products.id = repositories.product
            WHERE products.label = :product AND repositories.folded = :folded
            """,
            {"product": product, "folded": label.casefold()},
        ).fetchone()
        return f"{product}/{found['label']}" if found else None


def _labels(path: str) -> dict[str, str]:
    product, _, label = path.partition("/")
    return {"product": product, "label": label}


def _how_wanted(repository: Repository) -> dict[str, object]:
    """Give the columns that say where a repository lies, what of it is wanted, and what its signatures decide."""
    return {
        "source": repository.source,
        "transport": msgspec.json.encode(repository.transport),
        "selection": _encoded(repository.selection),
        "gpgcheck": repository.gpgcheck,
        "repo_gpgcheck": repository.repo_gpgcheck,
    }


def _encoded(document: object | None) -> bytes | None:
    return None if document is None else msgspec.json.encode(document)


def _decoded(document: bytes, kind: type[Document], path: str, what: str) -> Document:
    """Read a document of a repository; whoever can write the file can write anything, or nothing, in its place."""
    try:
        return msgspec.json.decode(document, type=kind)
    except (msgspec.MsgspecError, TypeError) as cause:
        raise _damaged(cause, path, what) from cause


def _damaged(cause: Exception, path: str, what: str) -> DepotError:
    return DepotError(
        f"{what} is damaged: {cause}", where=f"catalog.sqlite, {path}", hint="restore the catalog from a backup"
    )


def _snapshot(document: bytes, path: str) -> Snapshot:
    return _decoded(document, Snapshot, path, "a snapshot's document")


def _selection(document: bytes | None, path: str) -> Selection | None:
    return None if document is None else _decoded(document, Selection, path, "its selection")


def _policy(word: object, path: str) -> Policy | None:
    try:
        found: Policy | None = msgspec.convert(word, Policy | None)
    except msgspec.ValidationError as cause:
        raise _damaged(cause, path, "a policy for signatures") from cause
    return found


def _matches(repository: Repository, name: str) -> bool:
    return name in (repository.product, repository.path)


def _refuse_clash(kind: str, label: str, found: str | None) -> None:
    if found not in (None, label):
        raise DepotError(
            f"{kind} {label} differs only in case from {found}",
            hint="labels are unique without regard to case; choose another, or use the one that is there",
        )
