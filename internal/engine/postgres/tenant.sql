-- What a tenant's database has of its blueprint, in one row, which a deployment
-- changes in the transaction that changes the schema. Schema pg_tenantsdb has the
-- reserved prefix, so neither pg_dump nor psql's \d shows it. The owner may write
-- the row, which runs deployments; the clients' role can't even see it.

CREATE SCHEMA IF NOT EXISTS pg_tenantsdb;

CREATE TABLE IF NOT EXISTS pg_tenantsdb.deployed (
	one     boolean PRIMARY KEY DEFAULT true CHECK (one),
	version bigint NOT NULL DEFAULT 0,    -- the newest that is here whole
	next    bigint NOT NULL DEFAULT 0,    -- the one that was begun; 0 where none was
	entries bigint[] NOT NULL DEFAULT '{}', -- of next, those that took effect
	intent  jsonb                         -- about the statement that may be running, or was cut short
);

INSERT INTO pg_tenantsdb.deployed DEFAULT VALUES ON CONFLICT DO NOTHING;

REVOKE ALL ON SCHEMA pg_tenantsdb FROM PUBLIC;
REVOKE ALL ON pg_tenantsdb.deployed FROM PUBLIC;
