package postgres

import (
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/ddltrack"
)

// kinds is every statement of the PostgreSQL 15 manual that changes the schema
// and that a database's owner may run, in an order that works.
var kinds = []string{
	`CREATE SCHEMA app`,
	`CREATE SCHEMA parts CREATE TABLE t1 (i int) CREATE VIEW v1 AS SELECT * FROM t1`,
	`CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, email varchar(200))`,
	`CREATE UNLOGGED TABLE app.cache (k text, v jsonb) WITH (fillfactor = 70)`,
	`CREATE TABLE IF NOT EXISTS orders (id bigint GENERATED ALWAYS AS IDENTITY, user_id int REFERENCES users, at timestamptz DEFAULT now())`,
	`CREATE TABLE measures (at date NOT NULL, v int) PARTITION BY RANGE (at)`,
	`CREATE TABLE measures_1 PARTITION OF measures FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')`,
	`CREATE TABLE measures_2 (at date NOT NULL, v int)`,
	`ALTER TABLE measures ATTACH PARTITION measures_2 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')`,
	`ALTER TABLE measures DETACH PARTITION measures_2 CONCURRENTLY`,
	`CREATE TABLE child (extra int) INHERITS (users)`,
	`ALTER TABLE child NO INHERIT users`,
	`CREATE TABLE copies (LIKE users INCLUDING ALL)`,
	`CREATE TYPE mood AS ENUM ('sad', 'ok')`,
	`ALTER TYPE mood ADD VALUE 'happy' AFTER 'ok'`,
	`ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'`,
	`CREATE TYPE point3 AS (x float8, y float8)`,
	`ALTER TYPE point3 ADD ATTRIBUTE z float8`,
	`ALTER TYPE point3 RENAME ATTRIBUTE z TO zz`,
	`CREATE TYPE span AS RANGE (subtype = float8)`,
	`CREATE TABLE typed OF point3`,
	`CREATE DOMAIN posint AS int CHECK (VALUE > 0)`,
	`ALTER DOMAIN posint SET DEFAULT 1`,
	`ALTER DOMAIN posint ADD CONSTRAINT small CHECK (VALUE < 1000) NOT VALID`,
	`ALTER DOMAIN posint VALIDATE CONSTRAINT small`,
	`ALTER DOMAIN posint RENAME CONSTRAINT small TO tiny`,
	`CREATE SEQUENCE counter START 5`,
	`ALTER SEQUENCE counter INCREMENT 2 OWNED BY users.id`,
	`ALTER TABLE users ADD COLUMN age posint, ADD COLUMN feeling mood DEFAULT 'ok'`,
	`ALTER TABLE users ALTER COLUMN name SET DEFAULT 'x', ALTER COLUMN email TYPE text`,
	`ALTER TABLE users ADD CONSTRAINT grown CHECK (age < 200)`,
	`ALTER TABLE users ENABLE ROW LEVEL SECURITY`,
	`ALTER TABLE users REPLICA IDENTITY FULL`,
	`ALTER TABLE users ALTER COLUMN name SET STATISTICS 50`,
	`ALTER TABLE users RENAME COLUMN email TO mail`,
	`ALTER TABLE users RENAME CONSTRAINT grown TO aged`,
	`ALTER TABLE copies RENAME TO clones`,
	`ALTER TABLE clones SET SCHEMA app`,
	`CREATE INDEX ON users (name)`,
	`CREATE UNIQUE INDEX users_mail ON users (lower(mail)) WHERE age > 3`,
	`CREATE INDEX CONCURRENTLY users_age ON users (age)`,
	`ALTER INDEX users_age RENAME TO users_years`,
	`ALTER INDEX users_years SET (fillfactor = 80)`,
	`ALTER TABLE users CLUSTER ON users_years`,
	`CREATE STATISTICS user_stats ON name, mail FROM users`,
	`ALTER STATISTICS user_stats SET STATISTICS 20`,
	`CREATE VIEW adults AS SELECT id, name FROM users WHERE age > 17`,
	`CREATE OR REPLACE VIEW adults AS SELECT id, name, mail FROM users WHERE age > 18`,
	`ALTER VIEW adults SET (security_barrier)`,
	`ALTER VIEW adults ALTER COLUMN name SET DEFAULT 'y'`,
	`CREATE RECURSIVE VIEW nums (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM nums WHERE n < 9`,
	`CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM users`,
	`ALTER MATERIALIZED VIEW totals SET (fillfactor = 90)`,
	`CREATE FUNCTION add(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b; SELECT $1 + $2'`,
	`CREATE FUNCTION twice(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT a; SELECT a * 2; END`,
	`CREATE OR REPLACE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN NEW.at := now(); RETURN NEW; END $f$`,
	`ALTER FUNCTION add(int, int) STRICT`,
	`ALTER FUNCTION add(int, int) SET search_path = app`,
	`ALTER ROUTINE add(int, int) COST 5`,
	`CREATE PROCEDURE work(INOUT a int) LANGUAGE plpgsql AS $$ BEGIN a := 1; END $$`,
	`ALTER PROCEDURE work(int) SECURITY DEFINER`,
	`CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int, initcond = '0')`,
	`ALTER AGGREGATE total(int) RENAME TO grand`,
	`CREATE TRIGGER stamped BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION stamp()`,
	`ALTER TABLE orders DISABLE TRIGGER stamped`,
	`ALTER TRIGGER stamped ON orders RENAME TO stamping`,
	`CREATE CONSTRAINT TRIGGER checked AFTER INSERT ON orders DEFERRABLE FOR EACH ROW EXECUTE FUNCTION stamp()`,
	`CREATE RULE keep AS ON DELETE TO app.cache DO INSTEAD (SELECT 1; SELECT 2)`,
	`ALTER RULE keep ON app.cache RENAME TO kept`,
	`CREATE POLICY own ON users USING (name = current_user)`,
	`ALTER POLICY own ON users WITH CHECK (true)`,
	`ALTER POLICY own ON users RENAME TO theirs`,
	`CREATE OPERATOR === (leftarg = int, rightarg = int, function = int4eq)`,
	`ALTER OPERATOR === (int, int) SET (restrict = eqsel)`,
	`CREATE CAST (point3 AS text) WITH INOUT AS ASSIGNMENT`,
	`CREATE COLLATION german (provider = icu, locale = 'de')`,
	`ALTER COLLATION german RENAME TO deutsch`,
	`CREATE CONVERSION conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8`,
	`ALTER CONVERSION conv RENAME TO conversion2`,
	`CREATE TEXT SEARCH DICTIONARY dict (template = simple, stopwords = english)`,
	`ALTER TEXT SEARCH DICTIONARY dict (accept = false)`,
	`CREATE TEXT SEARCH CONFIGURATION conf (copy = english)`,
	`ALTER TEXT SEARCH CONFIGURATION conf ALTER MAPPING FOR word WITH dict`,
	`CREATE EXTENSION pg_trgm`,
	`CREATE EXTENSION IF NOT EXISTS "uuid-ossp" SCHEMA app`,
	`ALTER EXTENSION pg_trgm ADD TABLE app.cache`,
	`ALTER EXTENSION pg_trgm DROP TABLE app.cache`,
	`CREATE INDEX ON users USING gin (name gin_trgm_ops)`,
	`COMMENT ON TABLE users IS 'who; they -- are'`,
	`COMMENT ON COLUMN users.name IS $$it's$$`,
	`GRANT SELECT ON users TO PUBLIC`,
	`GRANT UPDATE (name) ON users TO PUBLIC`,
	`REVOKE SELECT ON users FROM PUBLIC`,
	`GRANT USAGE ON SCHEMA app TO PUBLIC`,
	`GRANT ALL ON ALL TABLES IN SCHEMA app TO PUBLIC`,
	`ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO PUBLIC`,
	`CREATE PUBLICATION pub FOR TABLE users`,
	`ALTER PUBLICATION pub SET (publish = 'insert')`,
	`ALTER FUNCTION stamp() DEPENDS ON EXTENSION pg_trgm`,
	`CREATE TABLE doomed (id int PRIMARY KEY, c text)`,
	`CREATE VIEW doomed_view AS SELECT * FROM doomed`,
	`ALTER TABLE doomed DROP COLUMN c CASCADE`,
	`CREATE INDEX CONCURRENTLY doomed_i ON doomed (id)`,
	`DROP INDEX CONCURRENTLY doomed_i`,
	`DROP TABLE doomed`,
	`DROP PUBLICATION pub`,
	`DROP TEXT SEARCH CONFIGURATION conf`,
	`DROP CAST (point3 AS text)`,
	`DROP OPERATOR === (int, int)`,
	`DROP RULE kept ON app.cache`,
	`DROP POLICY theirs ON users`,
	`DROP TRIGGER checked ON orders`,
	`DROP STATISTICS user_stats`,
	`DROP AGGREGATE grand(int)`,
	`DROP PROCEDURE work(int)`,
	`DROP ROUTINE twice(int)`,
	`DROP VIEW nums`,
	`DROP MATERIALIZED VIEW totals`,
	`DROP SEQUENCE counter`,
	`DROP DOMAIN IF EXISTS posint CASCADE`,
	`DROP COLLATION deutsch`,
	`DROP CONVERSION conversion2`,
	`DROP EXTENSION "uuid-ossp"`,
	`DROP SCHEMA parts CASCADE`,
	`ALTER SCHEMA app RENAME TO application`,
}

// unrecorded are statements that change nothing of the schema.
var unrecorded = []string{
	`CREATE TABLE IF NOT EXISTS users (id int)`,
	`ALTER TABLE users ADD COLUMN IF NOT EXISTS name text`,
	`ALTER TABLE IF EXISTS nobody ADD COLUMN a int`,
	`ALTER TABLE users ALTER COLUMN name SET NOT NULL`,
	`ALTER TABLE users OWNER TO CURRENT_USER`,
	`ALTER TYPE mood ADD VALUE IF NOT EXISTS 'ok'`,
	`CREATE SCHEMA IF NOT EXISTS application`,
	`CREATE EXTENSION IF NOT EXISTS pg_trgm`,
	`CREATE INDEX IF NOT EXISTS users_mail ON users (name)`,
	`CREATE INDEX CONCURRENTLY IF NOT EXISTS users_mail ON users (name)`,
	`CREATE SEQUENCE IF NOT EXISTS users_id_seq`,
	`DROP TABLE IF EXISTS nobody`,
	`DROP INDEX CONCURRENTLY IF EXISTS nobody`,
	`DROP FUNCTION IF EXISTS nobody(int)`,
	`CREATE TEMP TABLE scratch (id serial PRIMARY KEY, name text)`,
	`CREATE TEMP VIEW scratch_view AS SELECT * FROM scratch`,
	`CREATE INDEX ON scratch (name)`,
	`CREATE TRIGGER scratched BEFORE INSERT ON scratch FOR EACH ROW EXECUTE FUNCTION stamp()`,
	`ALTER TRIGGER scratched ON scratch RENAME TO scratching`,
	`DROP TRIGGER scratching ON scratch`,
	`ALTER TABLE scratch ADD COLUMN more int, ADD CONSTRAINT c CHECK (more > 1)`,
	`COMMENT ON TABLE scratch IS 'x'`,
	`COMMENT ON COLUMN scratch.name IS 'x'`,
	`GRANT SELECT ON scratch TO PUBLIC`,
	`GRANT SELECT ON pg_temp.scratch TO PUBLIC`,
	`CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
	`CREATE TYPE pg_temp.e AS ENUM ('a')`,
	`DROP TYPE pg_temp.e`,
	`CREATE TEMP TABLE scratch2 AS SELECT 1 AS a`,
	`SELECT 1 AS a INTO TEMP scratch3`,
	`DROP TABLE scratch, scratch2 CASCADE`,
	`SELECT lo_create(4711)`,
	`COMMENT ON LARGE OBJECT 4711 IS 'x'`,
	`GRANT SELECT ON LARGE OBJECT 4711 TO PUBLIC`,
	`ALTER LARGE OBJECT 4711 OWNER TO CURRENT_USER`,
	`INSERT INTO users (name) VALUES ('CREATE TABLE never (i int); /* ')`,
	`SELECT 'DROP TABLE users' /* ; DROP TABLE users; */ -- DROP TABLE users`,
	`TRUNCATE users CASCADE`,
	`VACUUM users`,
	`ANALYZE users`,
	`REINDEX TABLE users`,
	`SET search_path = application`,
	`RESET ALL`,
	`DISCARD TEMP`,
	`EXPLAIN CREATE TABLE never AS SELECT 1`,
}

func TestEachKindOfStatementIsRecordedOnce(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	for _, statement := range kinds {
		tags := s.run(statement)
		got := changes(t, e, target)
		if len(got) == 0 || got[len(got)-1].Statement != statement {
			t.Fatalf("%s: recorded as %q", statement, statements(got))
		}
		c := got[len(got)-1]
		if c.Operation != tags[0] && !strings.HasPrefix(tags[0], "SELECT") {
			t.Errorf("%s: operation %q, the server says %q", statement, c.Operation, tags[0])
		}
		if c.Reversible == (c.WhyNot != "") || c.Reversible != (c.Reverse != "") {
			t.Errorf("%s: reversible %v, reverse %q, why not %q", statement, c.Reversible, c.Reverse, c.WhyNot)
		}
		if c.ObjectType == "" {
			t.Errorf("%s: no object type", statement)
		}
		if list := ddltrack.Split(statement, true); len(list) != 1 || list[0].Tag() != c.Operation {
			t.Errorf("%s: split as %+v, recorded as %s", statement, list, c.Operation)
		}
		if testing.Verbose() {
			t.Logf("%-60.60s | %s | %s | %s | %s%s | %v", statement, c.ObjectType, c.Object, c.Identity, c.Reverse, c.WhyNot, c.References)
		}
	}
	all := changes(t, e, target)
	if len(all) != len(kinds) {
		t.Errorf("%d changes recorded of %d statements", len(all), len(kinds))
	}
	wantReplay(t, e, target, all)
}

func TestStatementsWithoutEffectOnTheSchemaAreNotRecorded(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run("CREATE SCHEMA application; CREATE TYPE mood AS ENUM ('ok'); CREATE EXTENSION pg_trgm; " +
		"CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL); CREATE INDEX users_mail ON users (name); " +
		"CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
	taken(t, e, target)
	for _, statement := range unrecorded {
		s.run(statement)
		if got := taken(t, e, target); len(got) != 0 {
			t.Errorf("%s: recorded as %q", statement, statements(got))
		}
	}
	s.run("REINDEX TABLE users; CREATE TABLE behind (i int); REINDEX INDEX users_mail")
	if got := statements(taken(t, e, target)); len(got) != 1 || got[0] != "CREATE TABLE behind (i int)" {
		t.Errorf("between two that are not recorded: got %q", got)
	}
	var rows int
	conn, release, err := e.admin(t.Context(), target.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := conn.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM pg_tenantsdb.journal) + (SELECT count(*) FROM pg_tenantsdb.body)").Scan(&rows); err != nil {
		t.Fatal(err)
	}
	if rows != 0 {
		t.Errorf("%d rows are left in the journal", rows)
	}
}

// The workspace's role is nobody in another database.
func TestTheWorkspacesRoleIsRecordedAsCurrentUser(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	role := quote(target.Role)
	s.run("CREATE TABLE t (i int)")
	want := []string{"CREATE TABLE t (i int)"}
	for _, sql := range []string{
		"CREATE SCHEMA s\n    AUTHORIZATION %s",
		"CREATE SCHEMA s2 AUTHORIZATION %s CREATE TABLE own (i int) GRANT SELECT ON own TO PUBLIC, %s",
		"REVOKE INSERT ON t FROM %s",
		"GRANT USAGE ON SCHEMA s TO %s WITH GRANT OPTION",
		"ALTER DEFAULT PRIVILEGES FOR ROLE %s GRANT SELECT ON TABLES TO PUBLIC",
		"CREATE POLICY p ON t TO %s USING (true)",
	} {
		s.run(strings.ReplaceAll(sql, "%s", role))
		want = append(want, strings.ReplaceAll(sql, "%s", "CURRENT_USER"))
	}
	got := taken(t, e, target)
	wantStatements(t, got, want...)
	wantReplay(t, e, target, got)

	s.run("CREATE SCHEMA AUTHORIZATION " + role)
	s.run("COMMENT ON SCHEMA " + role + " IS 'the role''s'")
	wantStatements(t, changes(t, e, target), "CREATE SCHEMA "+target.Role+" AUTHORIZATION CURRENT_USER", "COMMENT ON SCHEMA "+role+" IS 'the role''s'")
}

// Nor is its database's name: GUI tools write it before that of the schema.
func TestStatementsThatNameTheWorkspacesDatabaseAreThoseOfAny(t *testing.T) {
	e := newEngine(t)
	target, to := newTracked(t, e), newTenant(t, e)
	s := newSession(t, target)
	s.run("SET standard_conforming_strings = off")
	s.run(strings.ReplaceAll(`CREATE TABLE %s.public.users (id serial PRIMARY KEY, note text DEFAULT 'a\\''b')`, "%s", quote(target.Database)))
	s.run("SET standard_conforming_strings = on")
	for _, sql := range []string{
		"CREATE TYPE %s.public.mood AS ENUM ('ok')", "ALTER TABLE %s.public.users ADD m %s.public.mood", "CREATE VIEW %s.public.v AS SELECT * FROM %s.public.users",
		"DO $$ BEGIN CREATE INDEX ON %s.public.users (m); END $$", "CREATE TEMP TABLE t (a int); COMMENT ON COLUMN %s.public.users.m IS 'x'",
	} {
		s.run(strings.ReplaceAll(sql, "%s", quote(target.Database)))
	}
	list := changes(t, e, target)
	for _, c := range list {
		if strings.Contains(c.Statement, quote(target.Database)+".public.users") {
			t.Errorf("recorded: %s", c.Statement)
		}
	}
	for _, v := range versionsOf(list) {
		if err := e.Deploy(t.Context(), to, v); err != nil {
			t.Errorf("%s: %v", v.Entries[0].Statement, err)
		}
	}
	wantReplay(t, e, target, list)
}
