"""The catalog's tables, and the numbered steps that bring an older catalog to today's.

A step is a script of SQL. Once released it is never changed; a change of tables, or of the data in them, is a new step.
`schema_version` holds the number of steps done, so a catalog of a newer issmedia is refused rather than misread.
"""

import sqlite3
from collections.abc import Iterator

from issmedia.base.errors import DepotError

_STEP_1 = """
CREATE TABLE schema_version (
    number INTEGER NOT NULL
);

CREATE TABLE settings (
    "key" VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    PRIMARY KEY ("key")
);

CREATE TABLE products (
    id INTEGER NOT NULL,
    label VARCHAR NOT NULL,
    folded VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (folded)
);

CREATE TABLE repositories (
    id INTEGER NOT NULL,
    product INTEGER NOT NULL,
    label VARCHAR NOT NULL,
    folded VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    content_type VARCHAR NOT NULL,
    source VARCHAR,
    current INTEGER,
    PRIMARY KEY (id),
    UNIQUE (product, folded),
    FOREIGN KEY(product) REFERENCES products (id)
);

CREATE TABLE repository_keys (
    repository INTEGER NOT NULL,
    blob VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (repository, blob),
    FOREIGN KEY(repository) REFERENCES repositories (id)
);

CREATE TABLE snapshots (
    id INTEGER NOT NULL,
    repository INTEGER NOT NULL,
    tree VARCHAR NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(repository) REFERENCES repositories (id)
);
CREATE INDEX ix_snapshots_repository ON snapshots (repository);
CREATE INDEX ix_snapshots_tree ON snapshots (tree);

CREATE TABLE bundles (
    id VARCHAR NOT NULL,
    direction VARCHAR NOT NULL,
    site VARCHAR NOT NULL,
    site_name VARCHAR NOT NULL,
    destination VARCHAR NOT NULL,
    sequence INTEGER NOT NULL,
    created VARCHAR NOT NULL,
    recorded VARCHAR NOT NULL,
    signers VARCHAR NOT NULL,
    PRIMARY KEY (id, direction)
);
CREATE INDEX bundles_chain ON bundles (direction, site, destination, sequence);

CREATE TABLE ledger (
    number INTEGER NOT NULL,
    entry BLOB NOT NULL,
    hash VARCHAR NOT NULL,
    PRIMARY KEY (number)
);

CREATE TABLE packages (
    id INTEGER NOT NULL,
    digest VARCHAR NOT NULL,
    blob VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    epoch VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    release VARCHAR NOT NULL,
    arch VARCHAR NOT NULL,
    size INTEGER NOT NULL,
    summary VARCHAR NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (digest)
);
CREATE INDEX ix_packages_name ON packages (name);

CREATE TABLE tree_packages (
    tree VARCHAR NOT NULL,
    package INTEGER NOT NULL,
    PRIMARY KEY (tree, package),
    FOREIGN KEY(package) REFERENCES packages (id)
) WITHOUT ROWID;

CREATE TABLE advisories (
    id INTEGER NOT NULL,
    digest VARCHAR NOT NULL,
    advisory VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    severity VARCHAR NOT NULL,
    issued VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (digest)
);
CREATE INDEX ix_advisories_advisory ON advisories (advisory);

CREATE TABLE advisory_cves (
    cve VARCHAR NOT NULL,
    advisory INTEGER NOT NULL,
    PRIMARY KEY (cve, advisory),
    FOREIGN KEY(advisory) REFERENCES advisories (id)
) WITHOUT ROWID;

CREATE TABLE tree_advisories (
    tree VARCHAR NOT NULL,
    advisory INTEGER NOT NULL,
    PRIMARY KEY (tree, advisory),
    FOREIGN KEY(advisory) REFERENCES advisories (id)
) WITHOUT ROWID;

CREATE TABLE indexed_trees (
    tree VARCHAR NOT NULL,
    PRIMARY KEY (tree)
);

INSERT INTO schema_version (number) VALUES (0);
"""

_STEP_2 = """
CREATE TABLE bundle_trees (
    bundle VARCHAR NOT NULL,
    direction VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    tree VARCHAR NOT NULL,
    PRIMARY KEY (bundle, direction, repository),
    FOREIGN KEY (bundle, direction) REFERENCES bundles (id, direction)
) WITHOUT ROWID;

CREATE TABLE sites (
    id INTEGER NOT NULL,
    label VARCHAR NOT NULL,
    folded VARCHAR NOT NULL,
    site VARCHAR,
    added VARCHAR NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (folded)
);

CREATE TABLE site_keys (
    site INTEGER NOT NULL,
    public_key VARCHAR NOT NULL,
    PRIMARY KEY (site, public_key),
    FOREIGN KEY (site) REFERENCES sites (id)
) WITHOUT ROWID;

CREATE TABLE receipts (
    id VARCHAR NOT NULL,
    site INTEGER,
    created VARCHAR NOT NULL,
    ledger_number INTEGER NOT NULL,
    ledger_hash VARCHAR NOT NULL,
    recorded VARCHAR NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY (site) REFERENCES sites (id)
);

CREATE INDEX receipts_site ON receipts (site, created);

CREATE TABLE receipt_trees (
    receipt VARCHAR NOT NULL,
    repository VARCHAR NOT NULL,
    tree VARCHAR NOT NULL,
    PRIMARY KEY (receipt, repository),
    FOREIGN KEY (receipt) REFERENCES receipts (id)
) WITHOUT ROWID;

CREATE TABLE tree_details (
    tree VARCHAR NOT NULL,
    package_groups BLOB NOT NULL,
    module_streams BLOB NOT NULL,
    PRIMARY KEY (tree)
);
"""

_STEP_3 = """
ALTER TABLE repositories ADD COLUMN transport BLOB NOT NULL DEFAULT '{}';
"""

_STEP_4 = """
ALTER TABLE repositories ADD COLUMN selection BLOB;
"""

_STEP_5 = """
ALTER TABLE repositories ADD COLUMN gpgcheck VARCHAR;
ALTER TABLE repositories ADD COLUMN repo_gpgcheck VARCHAR;
"""

STEPS = (_STEP_1, _STEP_2, _STEP_3, _STEP_4, _STEP_5)


def migrate(db: sqlite3.Connection) -> None:
    """Do the steps this catalog lacks, within the caller's transaction; refuse one from a newer issmedia."""
    done = known_version(db)
    for step in STEPS[done:]:
        for statement in _statements(step):
            db.execute(statement)
    if done < len(STEPS):
        db.execute("UPDATE schema_version SET number = :number", {"number": len(STEPS)})


def known_version(db: sqlite3.Connection) -> int:
    """Give the number of steps done, 0 for an empty database; refuse a catalog from a newer issmedia."""
    known = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'"
    if db.execute(known).fetchone()[0] == 0:
        return 0
    done = _number(db)
    if done > len(STEPS):
        raise DepotError(
            f"the catalog has schema {done}, this issmedia knows {len(STEPS)}",
            where="catalog.sqlite",
            hint="use the issmedia that wrote it, or a newer one",
        )
    return done


def require_current(db: sqlite3.Connection) -> None:
    """Refuse a catalog that is not of today's schema; reading never changes it."""
    if (done := known_version(db)) != len(STEPS):
        raise DepotError(
            f"the catalog has schema {done}, expected {len(STEPS)}",
            where="catalog.sqlite",
            hint="a command that changes the depot brings it to today's: issmedia audit",
        )


def _number(db: sqlite3.Connection) -> int:
    match [number for (number,) in db.execute("SELECT number FROM schema_version")]:
        case [int(number)]:
            return number
        case found:
            raise DepotError(
                f"schema_version is damaged: expected one number, found {found}",
                where="catalog.sqlite",
                hint="restore the catalog from a backup",
            )


def _statements(script: str) -> Iterator[str]:
    """Split a script: a statement ends with a line. `executescript` would end the caller's transaction first."""
    statement = ""
    for line in script.splitlines():
        statement += f"{line}\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
