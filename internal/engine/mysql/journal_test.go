package mysql

import (
	"testing"
)

func TestChangesAreTheClientsStatementsInOrder(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, e, target)
	s.run("CREATE TABLE users (id int unsigned auto_increment primary key, email varchar(255) not null)",
		"CREATE INDEX by_email ON users (email)",
		"INSERT INTO users (email) VALUES ('a')",
		"ALTER TABLE users ADD COLUMN name varchar(20) DEFAULT 'x'",
		"TRUNCATE TABLE users",
		"RENAME TABLE users TO people",
		"CREATE TEMPORARY TABLE scratch (a int)",
		"DROP TEMPORARY TABLE scratch",
	)
	s.fail("CREATE TABLE people (a int)")
	got := changes(t, e, target)
	wantStatements(t, got,
		"CREATE TABLE users (id int unsigned auto_increment primary key, email varchar(255) not null)",
		"CREATE INDEX by_email ON users (email)",
		"ALTER TABLE users ADD COLUMN name varchar(20) DEFAULT 'x'",
		"RENAME TABLE users TO people")
	wantReplay(t, e, target, got)
	for i, c := range got {
		if i > 0 && (c.JournalID <= got[i-1].JournalID || c.Unit == got[i-1].Unit) {
			t.Errorf("change %d has id %d and unit %s after %d and %s", i, c.JournalID, c.Unit, got[i-1].JournalID, got[i-1].Unit)
		}
		if c.Source != "proxy" || len(c.Session) != 0 || c.At.IsZero() {
			t.Errorf("%s: source %q, session %v, at %v", c.Statement, c.Source, c.Session, c.At)
		}
	}
	if c := got[2]; c.Operation != "ALTER TABLE" || c.ObjectType != "table" || c.Object != "users" || !c.Reversible {
		t.Errorf("got %+v", c)
	}
	wantStatements(t, taken(t, e, target), statements(got)...)
	wantStatements(t, changes(t, e, target))
}
