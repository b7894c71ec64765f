package postgres

import (
	"strings"
	"testing"
)

// copies make tables LIKE temporary ones; each is a message.
var copies = []string{
	`CREATE TABLE app.plain (LIKE tmp)`,
	`CREATE TABLE "All Of It" (LIKE tmp INCLUDING ALL, PRIMARY KEY (id, "N"))`,
	`CREATE UNLOGGED TABLE beside (k serial UNIQUE, LIKE pg_temp.tmp INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING GENERATED INCLUDING COMMENTS, ref int REFERENCES parent (id), CHECK (k > 0)) WITH (fillfactor = 70, toast.autovacuum_enabled = off)`,
	`CREATE TABLE child (LIKE tmp INCLUDING CONSTRAINTS, own text DEFAULT 'x\y') INHERITS (parent)`,
	`CREATE TABLE parted (LIKE dates INCLUDING ALL) PARTITION BY RANGE (d)`,
	`DO $$ BEGIN CREATE TABLE nested (LIKE tmp INCLUDING INDEXES); END $$`,
	`SET DateStyle = 'SQL, DMY'; CREATE TABLE dated (LIKE dates INCLUDING ALL); RESET DateStyle`,
}

// A table that was made LIKE a temporary one is recorded as what it is, since no
// other session has that one.
func TestTablesLikeTemporaryOnesAreRecordedAsWhatTheyAre(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run(`CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('a;b', 'c'); CREATE TABLE parent (id int NOT NULL PRIMARY KEY, name text COLLATE "C");
		CREATE TEMP TABLE tmp (id int NOT NULL, "N" bigint GENERATED ALWAYS AS IDENTITY (START 5 CYCLE), s serial, m app.mood DEFAULT 'a;b',
		  t text COMPRESSION pglz COLLATE "C", g int GENERATED ALWAYS AS (id + 1) STORED, price numeric(10, 2) DEFAULT 1.5 CHECK (price > 0), UNIQUE (t, price), EXCLUDE (id WITH =));
		CREATE INDEX ON tmp (lower(t)) WHERE id > 3; CREATE STATISTICS tmp_s ON id, price FROM tmp;
		ALTER TABLE tmp ALTER COLUMN t SET STORAGE external; COMMENT ON COLUMN tmp.t IS 'it''s \; text'; COMMENT ON CONSTRAINT tmp_price_check ON tmp IS 'above';
		COMMENT ON INDEX tmp_lower_idx IS 'low'; COMMENT ON STATISTICS tmp_s IS 'some';
		CREATE TEMP TABLE dates (n smallint GENERATED ALWAYS AS IDENTITY, d date DEFAULT '2024-02-03', i interval DEFAULT '1 day 2 hours', UNIQUE (d, i)); CREATE INDEX ON dates (i)`)
	s.run(`CREATE STATISTICS gone ON t, id FROM tmp; ALTER STATISTICS gone SET STATISTICS 10; DROP STATISTICS gone`)
	all := taken(t, e, target)
	wantStatements(t, all, "CREATE SCHEMA app", "CREATE TYPE app.mood AS ENUM ('a;b', 'c')", `CREATE TABLE parent (id int NOT NULL PRIMARY KEY, name text COLLATE "C")`)
	for _, c := range copies {
		s.run(c)
		got := taken(t, e, target)
		all = append(all, got...)
		if len(got) != 1 || strings.Contains(got[0].Statement, "LIKE") || got[0].Operation != "CREATE TABLE" || !got[0].Reversible {
			t.Errorf("%s: recorded %+v", c, got)
		}
	}
	const asSent = `CREATE TABLE liking (LIKE parent INCLUDING ALL, "like" text CHECK ("like" LIKE 'tmp'))`
	s.run(asSent)
	got := taken(t, e, target)
	wantStatements(t, got, asSent)
	// What the temporary table's own sequence gave goes with the session.
	disconnect(t.Context(), s.conn)
	for other := newSession(t, target); ; {
		var gone bool
		if err := other.conn.QueryRow(t.Context(), "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user)").Scan(&gone); err != nil {
			t.Fatal(err)
		}
		if gone {
			break
		}
	}
	wantReplay(t, e, target, append(all, got...))
}
