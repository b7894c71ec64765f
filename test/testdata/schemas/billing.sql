-- A billing system in several schemas, as a team of SQL people writes one.
\set QUIET on
\set currency 'EUR'
SET client_min_messages = warning;
SET standard_conforming_strings = on;

CREATE SCHEMA core;
CREATE SCHEMA IF NOT EXISTS billing;
CREATE SCHEMA IF NOT EXISTS billing;
CREATE SCHEMA audit
    CREATE TABLE entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), what text)
    CREATE INDEX entry_at ON entry USING brin (at)
    CREATE VIEW recent AS SELECT * FROM entry WHERE at > now() - interval '1 day'
    GRANT SELECT ON recent TO PUBLIC;
CREATE SCHEMA "Reports & More";

CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE EXTENSION citext WITH SCHEMA core;
CREATE EXTENSION hstore SCHEMA core;
CREATE EXTENSION pg_trgm SCHEMA core;
CREATE EXTENSION pgcrypto WITH SCHEMA core CASCADE;
CREATE EXTENSION "uuid-ossp";
CREATE EXTENSION IF NOT EXISTS "uuid-ossp";
CREATE EXTENSION unaccent;
DROP EXTENSION unaccent;
COMMENT ON EXTENSION citext IS 'text without case, for addresses';

-- Everything unqualified is core's from here on.
SET search_path = core, public;

CREATE TYPE currency AS ENUM ('EUR', 'USD', 'CHF');
CREATE TYPE money_amount AS (value numeric(14,4), unit currency);
CREATE TYPE postal_address AS (street text COLLATE "C", zip varchar(12), city text, country char(2));
ALTER TYPE postal_address ADD ATTRIBUTE region text;
ALTER TYPE postal_address ALTER ATTRIBUTE zip TYPE varchar(16);
ALTER TYPE postal_address RENAME ATTRIBUTE region TO state;
ALTER TYPE postal_address DROP ATTRIBUTE state;
CREATE DOMAIN percent AS numeric(5,2) CHECK (VALUE BETWEEN 0 AND 100);
CREATE DOMAIN slug AS citext CONSTRAINT slug_form CHECK (VALUE ~ '^[a-z0-9;-]+$');
CREATE DOMAIN amounts AS money_amount[];
CREATE COLLATION german_phone (provider = icu, locale = 'de-u-co-phonebk');
CREATE COLLATION ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION copy_of_c FROM "C";
CREATE FUNCTION period_diff(timestamptz, timestamptz) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT AS 'SELECT extract(epoch FROM $1 - $2)::float8';
CREATE TYPE period AS RANGE (subtype = timestamptz, subtype_diff = period_diff, multirange_type_name = periods);

CREATE TABLE tenant (
    id uuid DEFAULT gen_random_uuid() PRIMARY KEY,
    name citext NOT NULL UNIQUE,
    key slug UNIQUE NULLS NOT DISTINCT,
    attributes hstore DEFAULT 'a=>"1;2"'::hstore NOT NULL,
    head_office postal_address,
    created timestamptz DEFAULT now() NOT NULL,
    deleted timestamptz,
    EXCLUDE USING hash (key WITH =) WHERE (deleted IS NULL)
);
CREATE TABLE account (
    id bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id uuid NOT NULL REFERENCES tenant ON DELETE CASCADE,
    email citext NOT NULL,
    secret text DEFAULT crypt('x;y', gen_salt('bf', 4)),
    display text COLLATE german_phone,
    nick text COLLATE ignore_case,
    role text DEFAULT 'member' NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    CONSTRAINT account_pk PRIMARY KEY (tenant_id, id) DEFERRABLE INITIALLY IMMEDIATE,
    CONSTRAINT one_mail UNIQUE (tenant_id, email) INCLUDE (display) WITH (fillfactor = 70)
);
CREATE TABLE billing.plan (
    code text PRIMARY KEY,
    price money_amount NOT NULL,
    discount percent DEFAULT 0,
    features jsonb DEFAULT '[]' NOT NULL,
    CHECK ((price).value >= 0),
    CHECK (features @? '$[*] ? (@.name like_regex "^;")' OR true)
);
CREATE TABLE billing.subscription (
    id bigserial,
    tenant_id uuid NOT NULL,
    plan text NOT NULL REFERENCES billing.plan ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED,
    active period NOT NULL,
    seats int4range DEFAULT '[1,10)' NOT NULL,
    pauses periods DEFAULT '{}',
    PRIMARY KEY (id),
    FOREIGN KEY (tenant_id) REFERENCES tenant MATCH FULL ON DELETE RESTRICT,
    CONSTRAINT no_overlap EXCLUDE USING gist (tenant_id WITH =, plan WITH =, active WITH &&) WHERE (NOT isempty(active)) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE billing.invoice (
    id bigserial PRIMARY KEY,
    number text GENERATED ALWAYS AS ('INV-' || lpad(seq::text, 8, '0')) STORED UNIQUE,
    seq int NOT NULL DEFAULT 1,
    subscription_id bigint REFERENCES billing.subscription ON DELETE SET NULL,
    tenant_id uuid, account_id bigint,
    total money_amount,
    lines money_amount[] DEFAULT ARRAY[ROW(1, 'EUR')::money_amount],
    issued date DEFAULT CURRENT_DATE, due date,
    search tsvector,
    status text NOT NULL DEFAULT 'draft',
    CONSTRAINT due_later CHECK (due >= issued) NO INHERIT
);
ALTER TABLE account ADD CONSTRAINT account_id_key UNIQUE (id);
ALTER TABLE billing.invoice ADD CONSTRAINT invoice_tenant FOREIGN KEY (tenant_id) REFERENCES tenant ON DELETE SET NULL (tenant_id);
ALTER TABLE billing.invoice ADD CONSTRAINT invoice_account FOREIGN KEY (account_id) REFERENCES account (id) DEFERRABLE;
ALTER TABLE billing.invoice ALTER CONSTRAINT invoice_account DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE billing.usage (
    tenant_id uuid NOT NULL, metric text NOT NULL, at timestamptz NOT NULL, amount double precision NOT NULL DEFAULT 0
) PARTITION BY LIST (metric);
CREATE TABLE billing.usage_api PARTITION OF billing.usage FOR VALUES IN ('api', 'web;hook') PARTITION BY RANGE (at, amount);
CREATE TABLE billing.usage_api_old PARTITION OF billing.usage_api FOR VALUES FROM (MINVALUE, MINVALUE) TO ('2024-01-01 00:00+00', MAXVALUE);
CREATE TABLE billing.usage_api_new PARTITION OF billing.usage_api FOR VALUES FROM ('2024-01-01 00:00+00', MAXVALUE) TO (MAXVALUE, MAXVALUE) WITH (fillfactor = 60);
CREATE TABLE billing.usage_disk PARTITION OF billing.usage FOR VALUES IN ('disk', NULL);
CREATE TABLE billing.usage_rest PARTITION OF billing.usage DEFAULT;
CREATE INDEX usage_at ON billing.usage USING brin (at) WITH (pages_per_range = 32);
CREATE UNIQUE INDEX usage_once ON billing.usage (metric, at, amount, tenant_id);

CREATE INDEX tenant_attributes ON tenant USING gin (attributes);
CREATE INDEX account_display ON account USING gin (display gin_trgm_ops);
CREATE INDEX account_lower ON account (lower(display) text_pattern_ops, (nick || ';') COLLATE "C" DESC NULLS LAST) INCLUDE (role) WHERE role <> 'member';
CREATE UNIQUE INDEX invoice_open ON billing.invoice (tenant_id) NULLS NOT DISTINCT WHERE status = 'open';
CREATE INDEX subscription_active ON billing.subscription USING gist (active, tenant_id);
CREATE INDEX plan_features ON billing.plan USING gin (features jsonb_path_ops) WITH (fastupdate = off);
\if :single
CREATE INDEX invoice_due ON billing.invoice (due);
CREATE UNIQUE INDEX invoice_number ON billing.invoice (seq, id);
CREATE INDEX gone_soon ON billing.invoice (status);
DROP INDEX billing.gone_soon;
\else
CREATE INDEX CONCURRENTLY invoice_due ON billing.invoice (due);
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS invoice_number ON billing.invoice (seq, id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS invoice_number ON billing.invoice (seq, id);
CREATE INDEX CONCURRENTLY gone_soon ON billing.invoice (status);
DROP INDEX CONCURRENTLY billing.gone_soon;
REINDEX INDEX CONCURRENTLY billing.invoice_due;
REINDEX TABLE CONCURRENTLY billing.invoice;
VACUUM billing.invoice;
\endif
REINDEX TABLE account;
ANALYZE billing.invoice;
ALTER TABLE billing.invoice CLUSTER ON invoice_number;
CLUSTER billing.invoice;
CREATE UNIQUE INDEX plan_ident ON billing.plan (code);
ALTER TABLE billing.plan REPLICA IDENTITY USING INDEX plan_ident;
ALTER TABLE tenant REPLICA IDENTITY FULL;
ALTER TABLE billing.plan DROP CONSTRAINT plan_pkey CASCADE;
ALTER TABLE billing.plan ADD CONSTRAINT plan_key PRIMARY KEY USING INDEX plan_ident;
ALTER TABLE billing.subscription ADD FOREIGN KEY (plan) REFERENCES billing.plan ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED;

-- Text search, operators, casts, aggregates.
CREATE TEXT SEARCH DICTIONARY words (TEMPLATE = simple, STOPWORDS = english, ACCEPT = false);
CREATE TEXT SEARCH DICTIONARY stems (TEMPLATE = snowball, LANGUAGE = german);
ALTER TEXT SEARCH DICTIONARY stems (StopWords = german);
CREATE TEXT SEARCH CONFIGURATION invoices (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION invoices ALTER MAPPING FOR asciiword, word WITH words, stems;
ALTER TEXT SEARCH CONFIGURATION invoices DROP MAPPING IF EXISTS FOR email, url;
ALTER TEXT SEARCH CONFIGURATION invoices ADD MAPPING FOR email WITH simple;
CREATE FUNCTION amount_add(a money_amount, b money_amount) RETURNS money_amount LANGUAGE plpgsql IMMUTABLE STRICT AS $fn$
BEGIN
    IF a.unit <> b.unit THEN RAISE EXCEPTION 'units differ; % and %', a.unit, b.unit; END IF;
    RETURN ROW(a.value + b.value, a.unit)::money_amount;
END;
$fn$;
CREATE FUNCTION amount_less(a money_amount, b money_amount) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN (a).value < (b).value;
CREATE OPERATOR + (FUNCTION = amount_add, LEFTARG = money_amount, RIGHTARG = money_amount, COMMUTATOR = +);
CREATE OPERATOR billing.<<< (FUNCTION = amount_less, LEFTARG = money_amount, RIGHTARG = money_amount, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
ALTER OPERATOR billing.<<< (money_amount, money_amount) SET (RESTRICT = NONE);
CREATE AGGREGATE total(money_amount) (SFUNC = amount_add, STYPE = money_amount);
CREATE FUNCTION to_amount(numeric) RETURNS money_amount LANGUAGE sql IMMUTABLE AS $$ SELECT ROW($1, 'EUR')::core.money_amount $$;
CREATE CAST (numeric AS money_amount) WITH FUNCTION to_amount(numeric) AS ASSIGNMENT;
CREATE CAST (money_amount AS text) WITH INOUT;
DROP CAST (money_amount AS text);
CREATE CONVERSION public.to_latin FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;

-- Triggers of every kind.
CREATE FUNCTION audit.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
BEGIN
    INSERT INTO entry (what) VALUES (TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME || '; ' || TG_OP || coalesce(' ' || TG_ARGV[0], ''));
    RETURN coalesce(NEW, OLD);
END $$;
CREATE FUNCTION billing.check_total() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.total).value < 0 THEN
        RAISE EXCEPTION USING MESSAGE = 'negative;', ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE CONSTRAINT TRIGGER total_checked AFTER INSERT OR UPDATE OF total ON billing.invoice
    FROM billing.subscription DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.total IS NOT NULL) EXECUTE FUNCTION billing.check_total();
CREATE TRIGGER a_note AFTER INSERT OR DELETE OR TRUNCATE ON billing.invoice FOR EACH STATEMENT EXECUTE FUNCTION audit.note('with ''quotes''; and more', '2');
CREATE TRIGGER search_kept BEFORE INSERT OR UPDATE ON billing.invoice FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger(search, 'core.invoices', status);
CREATE OR REPLACE TRIGGER search_kept BEFORE INSERT OR UPDATE OF status ON billing.invoice FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger(search, 'core.invoices', status);
CREATE TRIGGER usage_noted AFTER INSERT ON billing.usage FOR EACH ROW EXECUTE FUNCTION audit.note();
ALTER TABLE billing.invoice ENABLE REPLICA TRIGGER a_note;
ALTER TABLE billing.usage_disk DISABLE TRIGGER USER;

-- Row level security.
CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('app.tenant', true), '')::uuid $$;
ALTER TABLE account ENABLE ROW LEVEL SECURITY;
ALTER TABLE billing.invoice ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON account USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY own_invoices ON billing.invoice FOR SELECT TO PUBLIC, pg_monitor USING (tenant_id = current_tenant() AND status <> 'x;y');
CREATE POLICY never_delete ON billing.invoice AS RESTRICTIVE FOR DELETE USING (false);
CREATE POLICY temporary_one ON billing.invoice FOR UPDATE USING (true);
ALTER POLICY own_invoices ON billing.invoice USING (tenant_id = core.current_tenant());
ALTER POLICY own_invoices ON billing.invoice RENAME TO see_own;
DROP POLICY temporary_one ON billing.invoice;

-- Names are looked up along another path for a while.
SET search_path TO "Reports & More", billing, core, public;
CREATE VIEW revenue AS
    SELECT date_trunc('month', issued)::date AS "Month", total(total) AS "Total; EUR", count(*) FILTER (WHERE status = 'paid') AS paid
    FROM invoice GROUP BY 1;
CREATE MATERIALIZED VIEW "Top ""Tenants""" AS SELECT t.id, t.name, count(i.id) AS invoices FROM tenant t LEFT JOIN invoice i ON i.tenant_id = t.id GROUP BY t.id;
CREATE UNIQUE INDEX ON "Top ""Tenants""" (id);
CREATE TABLE "Odd; Table" ("Col 1" serial PRIMARY KEY, "it's" text DEFAULT 'x''y', "Ünï" int, "order" int UNIQUE);
CREATE SEQUENCE ticket AS smallint START 100 INCREMENT -5 MINVALUE -100 MAXVALUE 100 CYCLE OWNED BY "Odd; Table"."order";
ALTER TABLE "Odd; Table" ALTER COLUMN "order" SET DEFAULT nextval('ticket');
CREATE PROCEDURE monthly(y int, m int) LANGUAGE sql BEGIN ATOMIC
    INSERT INTO audit.entry (what) VALUES ('month; ' || y || '-' || m);
    DELETE FROM "Odd; Table" WHERE "Col 1" < 0;
END;
CREATE STATISTICS invoice_related (ndistinct, dependencies, mcv) ON tenant_id, status, (extract(month FROM issued)) FROM invoice;
ALTER STATISTICS invoice_related SET STATISTICS 250;
ALTER STATISTICS invoice_related RENAME TO invoice_correlated;
ALTER STATISTICS invoice_correlated SET SCHEMA billing;
\if :single
\else
BEGIN;
\endif
SET LOCAL search_path = audit;
CREATE TABLE local_path (id int PRIMARY KEY, entry bigint REFERENCES entry);
\if :single
SET LOCAL search_path TO "Reports & More", billing, core, public;
\else
COMMIT;
\endif
CREATE TABLE after_local (id int);
DROP TABLE after_local;
SELECT set_config('search_path', 'billing, core', false);
CREATE TABLE credit (id bigserial PRIMARY KEY, amount money_amount, note varchar(40)) WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER TABLE credit ALTER COLUMN note SET (n_distinct = -0.25), ALTER COLUMN note SET STORAGE EXTENDED, ALTER COLUMN note SET COMPRESSION pglz;
SET default_toast_compression = 'pglz';
CREATE TABLE compressed (id int, body text);
RESET default_toast_compression;
RESET search_path;

-- Audit tables for each table, made by code; and views, by code that makes code.
DO $do$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('core', 'billing') AND tablename !~ 'usage' ORDER BY 1, 2 LOOP
        EXECUTE format('CREATE TABLE audit.%I (LIKE %I.%I, changed_at timestamptz DEFAULT now() NOT NULL, changed_by text DEFAULT current_user)', t.schemaname || '_' || t.tablename, t.schemaname, t.tablename);
        EXECUTE format('CREATE INDEX ON audit.%I (changed_at)', t.schemaname || '_' || t.tablename);
        IF t.tablename = 'plan' THEN
            CREATE TABLE audit.static_in_do (id int, "x""y" text DEFAULT 'it''s; $$');
            COMMENT ON TABLE audit.static_in_do IS $c$made; by 'code'$c$;
        END IF;
    END LOOP;
    BEGIN
        CREATE TABLE audit.undone (id int);
        PERFORM 1 / 0;
    EXCEPTION WHEN division_by_zero THEN
        CREATE TABLE audit.done_instead (id int);
    END;
    EXECUTE $$ DO $i$ BEGIN EXECUTE 'CREATE VIEW audit.nested AS SELECT 1 AS "a;b"'; END $i$ $$;
END $do$;

CREATE FUNCTION audit.attach(target regclass, VARIADIC more text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $fn$
BEGIN
    EXECUTE format('CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION audit.note(%L)', target, array_to_string(more, ';'));
    ALTER TABLE audit.entry ADD COLUMN IF NOT EXISTS by_code boolean DEFAULT true;
END $fn$;
SELECT audit.attach(c.oid::regclass, 'x', c.relname::text) FROM pg_class c WHERE relnamespace IN ('core'::regnamespace, 'billing'::regnamespace) AND relkind = 'r' AND NOT relispartition AND relname IN ('tenant', 'plan', 'credit') ORDER BY relname;
CREATE FUNCTION audit.make(name text) RETURNS int LANGUAGE plpgsql SET search_path = audit, core AS $$
BEGIN
    EXECUTE 'CREATE TABLE ' || quote_ident(name) || ' (id int PRIMARY KEY, owner uuid REFERENCES tenant, amount money_amount)';
    RETURN 1;
END $$;
CREATE FUNCTION audit.make_pair(name text) RETURNS int LANGUAGE sql AS $$ SELECT audit.make(name || '_a'); SELECT audit.make(name || '_b'); $$;
SELECT audit.make_pair('made');
CREATE FUNCTION audit.in_sql() RETURNS void LANGUAGE sql AS 'CREATE TABLE audit.sql_made (id int, s text DEFAULT ''x;y''); CREATE INDEX sql_made_id ON audit.sql_made (id)';
SELECT audit.in_sql();
CREATE PROCEDURE audit.rotate(INOUT n int DEFAULT 0) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..3 LOOP
        EXECUTE format('CREATE TABLE audit.rotated_%s (id int)', i);
        n := n + 1;
    END LOOP;
    DROP TABLE audit.rotated_2;
END $$;
CALL audit.rotate();

-- Publications, servers, privileges, default privileges.
CREATE PUBLICATION changes FOR TABLE core.tenant (id, name) WHERE (deleted IS NULL), billing.plan WITH (publish = 'insert, update');
CREATE PUBLICATION nothing_yet;
ALTER PUBLICATION nothing_yet ADD TABLE billing.invoice;
ALTER PUBLICATION nothing_yet SET (publish_via_partition_root = true);
ALTER PUBLICATION nothing_yet RENAME TO invoices;
ALTER DEFAULT PRIVILEGES IN SCHEMA billing GRANT SELECT ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO pg_monitor WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
CREATE TABLE billing.with_defaults (id serial PRIMARY KEY);
CREATE FUNCTION billing.private() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
GRANT USAGE ON SCHEMA core, billing TO pg_monitor;
GRANT ALL PRIVILEGES ON SCHEMA "Reports & More" TO PUBLIC;
GRANT SELECT, UPDATE (status, due) ON billing.invoice TO pg_monitor WITH GRANT OPTION;
GRANT SELECT ON ALL TABLES IN SCHEMA audit TO pg_read_all_data;
REVOKE GRANT OPTION FOR SELECT ON billing.invoice FROM pg_monitor CASCADE;
GRANT TRIGGER, REFERENCES ON core.tenant TO PUBLIC;
REVOKE INSERT ON core.tenant FROM CURRENT_USER;
GRANT INSERT ON core.tenant TO CURRENT_ROLE;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA audit TO pg_monitor;
GRANT USAGE ON TYPE core.currency TO pg_monitor;
REVOKE USAGE ON SCHEMA public FROM PUBLIC;

COMMENT ON SCHEMA billing IS 'money; and what it is for';
COMMENT ON CONSTRAINT no_overlap ON billing.subscription IS 'one at a time';
COMMENT ON POLICY see_own ON billing.invoice IS 'tenant''s own';
COMMENT ON TYPE core.period IS 'with time';
COMMENT ON COLUMN core.postal_address.zip IS 'zip';
COMMENT ON OPERATOR core.+ (core.money_amount, core.money_amount) IS 'adds';
COMMENT ON CAST (numeric AS core.money_amount) IS 'in euro';
COMMENT ON COLLATION core.german_phone IS 'as in the book';
COMMENT ON TEXT SEARCH CONFIGURATION core.invoices IS 'search';
COMMENT ON TEXT SEARCH DICTIONARY core.stems IS 'stems';
COMMENT ON PUBLICATION changes IS 'to the warehouse';
COMMENT ON CONVERSION public.to_latin IS 'old printers';
COMMENT ON FUNCTION audit.attach(regclass, text[]) IS U&'caf\00e9;';
COMMENT ON COLUMN "Reports & More"."Odd; Table"."it's" IS 'odd';
COMMENT ON MATERIALIZED VIEW "Reports & More"."Top ""Tenants""" IS :'currency';

-- Moves and renames between schemas.
CREATE TABLE public.stray (id serial PRIMARY KEY, plan text REFERENCES billing.plan);
ALTER TABLE public.stray SET SCHEMA billing;
ALTER TABLE billing.stray RENAME TO settled;
ALTER SEQUENCE billing.stray_id_seq RENAME TO settled_numbers;
ALTER FUNCTION billing.private() SET SCHEMA core;
ALTER TYPE core.currency ADD VALUE 'GBP' BEFORE 'CHF';
ALTER SCHEMA "Reports & More" RENAME TO reports;
ALTER TABLE reports."Odd; Table" RENAME COLUMN "Ünï" TO uni;
ALTER DOMAIN core.percent SET DEFAULT 0;
ALTER DOMAIN core.percent SET NOT NULL;
ALTER DOMAIN core.percent RENAME CONSTRAINT percent_check TO in_range;
ALTER TABLE billing.usage DETACH PARTITION billing.usage_disk;
ALTER VIEW reports.revenue SET (security_invoker = true);
ALTER VIEW audit.recent RENAME COLUMN what TO did;
ALTER MATERIALIZED VIEW reports."Top ""Tenants""" RENAME TO top_tenants;
ALTER TABLE core.account OWNER TO CURRENT_USER;
REASSIGN OWNED BY CURRENT_USER TO CURRENT_USER;
PREPARE prepared_ddl AS SELECT 1;
EXECUTE prepared_ddl;
CREATE TABLE billing.typed OF core.money_amount (value NOT NULL, PRIMARY KEY (value));
CREATE TABLE billing.like_all (LIKE billing.invoice INCLUDING ALL EXCLUDING STATISTICS, extra int);
CREATE TABLE billing.copied AS TABLE billing.plan WITH NO DATA;
CREATE TABLE billing.explained AS SELECT id, total, now() AS at FROM billing.invoice;
EXPLAIN CREATE TABLE billing.only_explained AS SELECT 1;
DROP TABLE billing.compressed, billing.copied;
DROP FUNCTION IF EXISTS billing.no_such_function(int);
