BEGIN TRANSACTION;
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
INSERT INTO "advisories" VALUES(1,'978fb2e757c365a737df28442dfc81938b7312d6bbea5723ad0a39ed424ee6c4','TEST-2023:0001','security','Important','2023-01-01','A fix');
CREATE TABLE advisory_cves (
	cve VARCHAR NOT NULL, 
	advisory INTEGER NOT NULL, 
	PRIMARY KEY (cve, advisory), 
	FOREIGN KEY(advisory) REFERENCES advisories (id)
)
 WITHOUT ROWID

;
INSERT INTO "advisory_cves" VALUES('CVE-2023-0001',1);
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
INSERT INTO "bundles" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','export','0123456789abcdef0123456789abcdef','hq','',1,'2026-06-01T12:00:00Z','2026-06-01T12:00:00Z','SHA256:x');
CREATE TABLE indexed_trees (
	tree VARCHAR NOT NULL, 
	PRIMARY KEY (tree)
);
INSERT INTO "indexed_trees" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
CREATE TABLE ledger (
	number INTEGER NOT NULL, 
	entry BLOB NOT NULL, 
	hash VARCHAR NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "ledger" VALUES(1,X'7B226576656E74223A22696E6974222C226661637473223A7B2273697465223A226871227D2C226E756D626572223A312C2270726576696F7573223A2230303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030222C2274696D65223A22323032362D30362D30315431323A30303A30305A227D','c3a9298c9b1344c36e9208d328bf33c59fb4c310c11d86552517c4f27af8e95b');
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
INSERT INTO "packages" VALUES(1,'6a1148d0723cf69b12860ec835c813ef9fee653fd464df8d7895b4054f63b346','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','app','1','1.0','1','noarch',10,'An app');
CREATE TABLE products (
	id INTEGER NOT NULL, 
	label VARCHAR NOT NULL, 
	folded VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (folded)
);
INSERT INTO "products" VALUES(1,'p','p','p');
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
INSERT INTO "repositories" VALUES(1,1,'zoo','zoo','p/zoo','yum','/srv',1);
CREATE TABLE repository_keys (
	repository INTEGER NOT NULL, 
	blob VARCHAR NOT NULL, 
	position INTEGER NOT NULL, 
	PRIMARY KEY (repository, blob), 
	FOREIGN KEY(repository) REFERENCES repositories (id)
);
INSERT INTO "repository_keys" VALUES(1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',0);
INSERT INTO "repository_keys" VALUES(1,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',1);
CREATE TABLE schema_version (
	number INTEGER NOT NULL
);
INSERT INTO "schema_version" VALUES(1);
CREATE TABLE settings (
	"key" VARCHAR NOT NULL, 
	value VARCHAR NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "settings" VALUES('site_id','0123456789abcdef0123456789abcdef');
INSERT INTO "settings" VALUES('site_name','hq');
CREATE TABLE snapshots (
	id INTEGER NOT NULL, 
	repository INTEGER NOT NULL, 
	tree VARCHAR NOT NULL, 
	document BLOB NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(repository) REFERENCES repositories (id)
);
INSERT INTO "snapshots" VALUES(1,1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',X'7B227265706F7369746F7279223A22702F7A6F6F222C2274726565223A2261616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161222C2274616B656E223A22323032362D30362D30315431323A30303A30305A222C2266696C6573223A312C227061636B61676573223A312C2273697A65223A312C227369676E65645F6D65746164617461223A66616C73652C22696E636F6D706C657465223A5B7B2270617468223A22612E72706D222C22726561736F6E223A226973206D697373696E67227D5D2C22736F75726365223A6E756C6C2C2262756E646C65223A6E756C6C7D');
CREATE TABLE tree_advisories (
	tree VARCHAR NOT NULL, 
	advisory INTEGER NOT NULL, 
	PRIMARY KEY (tree, advisory), 
	FOREIGN KEY(advisory) REFERENCES advisories (id)
)
 WITHOUT ROWID

;
INSERT INTO "tree_advisories" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',1);
CREATE TABLE tree_packages (
	tree VARCHAR NOT NULL, 
	package INTEGER NOT NULL, 
	PRIMARY KEY (tree, package), 
	FOREIGN KEY(package) REFERENCES packages (id)
)
 WITHOUT ROWID

;
INSERT INTO "tree_packages" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',1);
CREATE INDEX bundles_chain ON bundles (direction, site, destination, sequence);
CREATE INDEX ix_packages_name ON packages (name);
CREATE INDEX ix_advisories_advisory ON advisories (advisory);
CREATE INDEX ix_snapshots_repository ON snapshots (repository);
CREATE INDEX ix_snapshots_tree ON snapshots (tree);
COMMIT;
