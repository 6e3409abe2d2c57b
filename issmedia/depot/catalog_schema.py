"""The catalog's tables, and the numbered steps that bring an older catalog to today's.

A step, once released, is never changed; a change of tables is a new step. `schema_version` holds the number
of steps done, so a catalog of a newer issmedia is refused rather than misread.
"""

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    insert,
    inspect,
    select,
    update,
)

from issmedia.base.errors import DepotError

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("number", Integer, nullable=False))

settings = Table("settings", metadata, Column("key", String, primary_key=True), Column("value", String, nullable=False))

products = Table(
    "products",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("label", String, nullable=False),
    Column("folded", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
)

repositories = Table(
    "repositories",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("product", ForeignKey("products.id"), nullable=False),
    Column("label", String, nullable=False),
    Column("folded", String, nullable=False),
    Column("name", String, nullable=False),
    Column("content_type", String, nullable=False),
    Column("source", String),
    Column("current", Integer),
    UniqueConstraint("product", "folded"),
)

repository_keys = Table(
    "repository_keys",
    metadata,
    Column("repository", ForeignKey("repositories.id"), primary_key=True),
    Column("blob", String, primary_key=True),
    Column("position", Integer, nullable=False),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("repository", ForeignKey("repositories.id"), nullable=False, index=True),
    Column("tree", String, nullable=False, index=True),
    Column("document", LargeBinary, nullable=False),
)

bundles = Table(
    "bundles",
    metadata,
    Column("id", String, primary_key=True),
    Column("direction", String, primary_key=True),
    Column("site", String, nullable=False),
    Column("site_name", String, nullable=False),
    Column("destination", String, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("created", String, nullable=False),
    Column("recorded", String, nullable=False),
    Column("signers", String, nullable=False),
    Index("bundles_chain", "direction", "site", "destination", "sequence"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("entry", LargeBinary, nullable=False),
    Column("hash", String, nullable=False),
)

packages = Table(
    "packages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", String, nullable=False, unique=True),
    Column("blob", String, nullable=False),
    Column("name", String, nullable=False, index=True),
    Column("epoch", String, nullable=False),
    Column("version", String, nullable=False),
    Column("release", String, nullable=False),
    Column("arch", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("summary", String, nullable=False),
)

tree_packages = Table(
    "tree_packages",
    metadata,
    Column("tree", String, primary_key=True),
    Column("package", ForeignKey("packages.id"), primary_key=True),
    sqlite_with_rowid=False,
)

advisories = Table(
    "advisories",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", String, nullable=False, unique=True),
    Column("advisory", String, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("issued", String, nullable=False),
    Column("title", String, nullable=False),
)

advisory_cves = Table(
    "advisory_cves",
    metadata,
    Column("cve", String, primary_key=True),
    Column("advisory", ForeignKey("advisories.id"), primary_key=True),
    sqlite_with_rowid=False,
)

tree_advisories = Table(
    "tree_advisories",
    metadata,
    Column("tree", String, primary_key=True),
    Column("advisory", ForeignKey("advisories.id"), primary_key=True),
    sqlite_with_rowid=False,
)

indexed_trees = Table("indexed_trees", metadata, Column("tree", String, primary_key=True))


def _step_1(db: Connection) -> None:
    """Make the first tables."""
    metadata.create_all(db)
    db.execute(insert(schema_version).values(number=0))


STEPS = (_step_1,)


def migrate(db: Connection) -> None:
    """Do the steps this catalog lacks, within the caller's transaction; refuse one from a newer issmedia."""
    done = known_version(db)
    for step in STEPS[done:]:
        step(db)
    if done < len(STEPS):
        db.execute(update(schema_version).values(number=len(STEPS)))


def known_version(db: Connection) -> int:
    """Give the number of steps done, 0 for an empty database; refuse a catalog from a newer issmedia."""
    if not inspect(db).has_table("schema_version"):
        return 0
    done = int(db.execute(select(schema_version.c.number)).scalar_one())
    if done > len(STEPS):
        raise DepotError(
            f"the catalog has schema {done}, this issmedia knows {len(STEPS)}",
            where="catalog.sqlite",
            hint="use the issmedia that wrote it, or a newer one",
        )
    return done


def require_current(db: Connection) -> None:
    """Refuse a catalog that is not of today's schema; reading never changes it."""
    if (done := known_version(db)) != len(STEPS):
        raise DepotError(
            f"the catalog has schema {done}, expected {len(STEPS)}",
            where="catalog.sqlite",
            hint="a command that changes the depot brings it to today's: issmedia audit",
        )
