package postgres

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The relay records on this message, so each transaction that changed the
// schema must send it, and no other.
func TestSessionIsToldOfEachChange(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	config, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s client_min_messages=error", server.SocketDir(), server.Port(), target.Role, target.Password, target.Database))
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if n.Code == "TDB01" && n.SeverityUnlocalized == "INFO" {
			told++
		}
	}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer disconnect(t.Context(), conn)
	for _, test := range []struct {
		sql  string
		want int
	}{
		{"CREATE TABLE a (id serial PRIMARY KEY)", 1},
		{"CREATE TABLE b (i int); DROP TABLE b", 2},
		{"CREATE TABLE IF NOT EXISTS a (i int)", 0},
		{"CREATE TEMP TABLE c (i int)", 0},
		{"CREATE INDEX CONCURRENTLY ON a (id)", 2}, // at its start too, for it may fail and leave an index behind
		{"CREATE EXTENSION pg_trgm", 1},
		{"DO $$ BEGIN CREATE TABLE d (i int); CREATE TABLE e (i int); END $$", 2},
		{"INSERT INTO a DEFAULT VALUES; SELECT * FROM a", 0},
	} {
		told = 0
		if _, err := conn.PgConn().Exec(t.Context(), test.sql).ReadAll(); err != nil {
			t.Fatalf("%s: %v", test.sql, err)
		}
		if told != test.want {
			t.Errorf("%s: told %d times, want %d", test.sql, told, test.want)
		}
	}
}

func TestDropOwnedIsRecorded(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, target)
	s.run("CREATE TABLE a (i int); CREATE SCHEMA s; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
	s.run("DROP OWNED BY CURRENT_USER CASCADE")
	s.run("CREATE TABLE b (i int)")
	got := changes(t, e, target)
	if len(got) != 5 || got[3].Statement != "DROP OWNED BY CURRENT_USER CASCADE" || got[3].Operation != "DROP OWNED" {
		t.Fatalf("recorded %q", statements(got))
	}
	wantReplay(t, e, target, got)
}
