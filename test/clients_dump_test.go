package test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// library is a schema with data of most kinds that a dump has to carry.
const library = `
CREATE SCHEMA app;
CREATE TYPE app.genre AS ENUM ('prose', 'verse');
CREATE DOMAIN isbn AS text CHECK (length(VALUE) = 13);
CREATE TABLE authors (id serial PRIMARY KEY, name text NOT NULL UNIQUE, born date, tags text[]);
CREATE TABLE app.books (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, author int NOT NULL REFERENCES authors ON DELETE CASCADE,
	g app.genre DEFAULT 'prose', code isbn, doc jsonb, raw bytea, words tsvector GENERATED ALWAYS AS (to_tsvector('simple', doc ->> 'title')) STORED);
CREATE INDEX ON app.books USING gin (words);
CREATE TABLE loans (book bigint REFERENCES app.books, at timestamptz NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE loans_2024 PARTITION OF loans FOR VALUES FROM ('2024-01-01Z') TO ('2025-01-01Z');
CREATE TABLE loans_rest PARTITION OF loans DEFAULT;
CREATE FUNCTION app.age(a authors) RETURNS int LANGUAGE sql STABLE AS $$ SELECT extract(year FROM now())::int - extract(year FROM a.born)::int; $$;
CREATE VIEW app.shelf AS SELECT a.name, b.doc ->> 'title' AS title FROM authors a JOIN app.books b ON b.author = a.id;
CREATE MATERIALIZED VIEW app.counts AS SELECT author, count(*) AS n FROM app.books GROUP BY author;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := trim(NEW.name); RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE INSERT ON authors FOR EACH ROW EXECUTE FUNCTION touch();
COMMENT ON TABLE authors IS 'People; "who" write''s';
INSERT INTO authors (name, born, tags) SELECT ' author ' || g, date '1900-01-01' + g, ARRAY['a,b', NULL, g::text] FROM generate_series(1, 50) g;
INSERT INTO app.books (author, g, code, doc, raw)
	SELECT 1 + g % 50, CASE WHEN g % 2 = 0 THEN 'verse' ELSE 'prose' END::app.genre, lpad(g::text, 13, '0'),
		jsonb_build_object('title', 'Title ' || g || E'\t\\ "x"'), decode(md5(g::text), 'hex') FROM generate_series(1, 5000) g;
INSERT INTO loans SELECT g, timestamptz '2023-06-01Z' + g * interval '3 hours' FROM generate_series(1, 5000) g;
REFRESH MATERIALIZED VIEW app.counts;
SELECT lo_from_bytea(0, 'a large object');
`

// TestDumpAndRestore carries a workspace into another in each format.
func TestDumpAndRestore(t *testing.T) {
	from := shared.workspace(t, "dump_from", "tenant").login(t)
	from.run(t, library, "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "--single-transaction")
	want := from.dump(t)
	contains(t, "pg_dump", want, "CREATE MATERIALIZED VIEW", "ATTACH PARTITION", "Title 4711", "lowrite")
	if strings.Contains(strings.ToLower(want), "tenantsdb") {
		t.Error("the dump has something of ours in it")
	}
	folder := t.TempDir()
	custom, directory, tarred := filepath.Join(folder, "custom"), filepath.Join(folder, "directory"), filepath.Join(folder, "tar")
	from.run(t, "", "pg_dump", "-Fc", "-f", custom)
	from.run(t, "", "pg_dump", "-Fd", "-j", "2", "-f", directory)
	from.run(t, "", "pg_dump", "-Ft", "-f", tarred)

	to := shared.workspace(t, "dump_to", "tenant")
	l := to.login(t)
	same := func(t *testing.T) {
		t.Helper()
		wantEqual(t, strings.ReplaceAll(l.dump(t), l.owner(t), from.owner(t)), want)
	}
	for _, restore := range []struct {
		name string
		args []string
	}{
		{"custom", []string{custom}},
		{"directory by two at once over what is there", []string{"-j", "2", "--clean", "--if-exists", directory}},
		{"custom by two at once over what is there", []string{"-j", "2", "--clean", "--if-exists", custom}},
		{"tar in one transaction", []string{"--single-transaction", "--clean", "--if-exists", tarred}},
	} {
		t.Run(restore.name, func(t *testing.T) {
			args := append([]string{"--no-owner", "--exit-on-error", "-d", l.database}, restore.args...)
			l.run(t, "", "pg_restore", args...)
			same(t)
		})
	}
	t.Run("plain over what is there", func(t *testing.T) {
		script := from.run(t, "", "pg_dump", "--no-owner", "--clean", "--if-exists")
		l.run(t, script, "psql", "-Xq", "-v", "ON_ERROR_STOP=1")
		same(t)
	})
	t.Run("inserts", func(t *testing.T) {
		script := from.run(t, "", "pg_dump", "--no-owner", "--clean", "--if-exists", "--rows-per-insert=100")
		l.run(t, script, "psql", "-Xq", "-v", "ON_ERROR_STOP=1")
		same(t)
	})
	if len(to.queue(t)) == 0 {
		t.Error("the restored schema is not in the queue")
	}
}

// TestDumpBeyondTheRowLimit must fail loudly: half a dump is worse than none.
func TestDumpBeyondTheRowLimit(t *testing.T) {
	d := shared.workspace(t, "dump_limit", "control")
	l := d.login(t)
	l.psql(t, "CREATE TABLE t AS SELECT g FROM generate_series(1, 10001) g")
	s := l.try(t, "", "pg_dump")
	if s.err == nil {
		t.Error("pg_dump of more rows than allowed succeeded")
	}
	contains(t, "pg_dump", s.stderr, `workspace "dump_limit" allows a statement to return 10000 rows (max_rows_per_query)`)
	d.set(t, map[string]any{"max_rows_per_query": 0})
	contains(t, "pg_dump", l.run(t, "", "pg_dump"), "\n10001\n")
}

// randomLines are those that pg_dump writes with a new key each time.
var randomLines = regexp.MustCompile(`(?m)^\\(un)?restrict .*\n`)

// dump is the whole database as SQL.
func (l login) dump(t testing.TB) string {
	t.Helper()
	return randomLines.ReplaceAllString(l.run(t, "", "pg_dump"), "")
}

// owner is the workspace's role on the server.
func (l login) owner(t testing.TB) string {
	t.Helper()
	return l.psql(t, "SELECT current_user")
}

// TestMaintenanceTools holds PostgreSQL's small programs to what they do past
// the proxy.
func TestMaintenanceTools(t *testing.T) {
	p := sameAsDirect(t, "parity_tools")
	for _, l := range []login{p.proxied, p.direct} {
		l.run(t, library, "psql", "-Xq", "-v", "ON_ERROR_STOP=1")
	}
	for _, run := range [][]string{
		{"vacuumdb", "--analyze", "--table", "authors", "--table", "app.books"},
		{"vacuumdb", "--analyze-in-stages", "--jobs", "2", "--schema", "app"},
		{"vacuumdb", "--full", "--table", "authors"},
		{"reindexdb", "--schema", "app"},
		{"reindexdb", "--concurrently", "--table", "authors"},
		{"reindexdb", "--jobs", "2", "--table", "authors", "--table", "app.books"},
		{"clusterdb"},
		{"clusterdb", "--table", "authors"},
		{"createdb", "another"},
		{"createuser", "another"},
		{"dropuser", "another"},
	} {
		t.Run(strings.Join(run, " "), func(t *testing.T) {
			args := run[1:]
			if strings.HasPrefix(run[0], "create") || strings.HasPrefix(run[0], "drop") {
				args = append([]string{"--no-password"}, args...)
			}
			proxied, direct := p.proxied.try(t, "", run[0], args...), p.direct.try(t, "", run[0], args...)
			if (proxied.err == nil) != (direct.err == nil) {
				t.Errorf("ended with %v through the proxy, %v direct", proxied.err, direct.err)
			}
			if strings.HasPrefix(run[0], "create") || strings.HasPrefix(run[0], "drop") {
				return
			}
			wantEqual(t, p.normal(proxied.stdout), p.normal(direct.stdout))
			wantEqual(t, p.normal(proxied.stderr), p.normal(direct.stderr))
		})
	}
}

// TestReplicationIsRefused for each program that would copy the whole server.
func TestReplicationIsRefused(t *testing.T) {
	l := shared.workspace(t, "replication", "control").login(t)
	folder := t.TempDir()
	for _, run := range [][]string{
		{"/usr/lib/postgresql/15/bin/pg_basebackup", "-D", filepath.Join(folder, "backup")},
		{"/usr/lib/postgresql/15/bin/pg_receivewal", "-n", "-D", folder},
		{"/usr/lib/postgresql/15/bin/pg_recvlogical", "-n", "-d", l.database, "-S", "slot", "--start", "-f", "-"},
	} {
		s := l.try(t, "", run[0], run[1:]...)
		if s.err == nil {
			t.Errorf("%s succeeded", run[0])
		}
		contains(t, run[0], s.stderr, "replication connections are not supported")
	}
}
