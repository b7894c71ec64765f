package mysql

import (
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestAReaderReadsAndWritesNothing(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	owner := newSession(t, e, target)
	owner.run("CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users VALUES (1, 'ann'); CREATE FUNCTION one() RETURNS int DETERMINISTIC RETURN 1")
	recorded := len(changes(t, e, target))
	read := target
	read.Reader, read.ReaderPassword = target.Role+"_reader", "planted-reader-secret"
	for range 2 {
		must(t, e.SetReader(t.Context(), read))
	}
	as := workspace.Target{Database: target.Database, Role: read.Reader, Password: read.ReaderPassword}
	reader := newSession(t, e, as)
	owner.run("CREATE TABLE later (i int)")
	if got := reader.value("SELECT CONCAT(name, (SELECT COUNT(*) FROM later)) FROM users"); got != "ann0" {
		t.Errorf("got %s", got)
	}
	for text, want := range map[string]uint16{
		"INSERT INTO users VALUES (2, 'x')": 1142, "UPDATE users SET id = 3": 1142, "DELETE FROM users": 1142, "CREATE TABLE mine (i int)": 1142, "DROP TABLE users": 1142,
		"ALTER TABLE users ADD x int": 1142, "CREATE TEMPORARY TABLE mine (i int)": 1044, "LOCK TABLES users WRITE": 1044, "SELECT one()": 1370,
		"GRANT SELECT ON users TO PUBLIC": 1142, "SELECT * FROM mysql.user": 1142,
	} {
		if got := reader.fail(text); got != want && !(text[:5] == "GRANT") {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	}
	if got := len(changes(t, e, target)); got != recorded+1 {
		t.Errorf("%d changes are recorded, want %d", got, recorded+1)
	}
	other := newWorkspace(t, e)
	as.Database = other.Database
	if _, err := e.connect(t.Context(), as.Role, as.Password, as.Database); errno(err) != 1044 {
		t.Errorf("another database: got %v", err)
	}

	for range 2 {
		must(t, e.DropReader(t.Context(), read))
	}
	if err := reader.exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("its session lives on")
	}
	owner.run("INSERT INTO users VALUES (2, 'x')")
	must(t, e.Create(t.Context(), read, true))
	exists, err := e.Exists(t.Context(), read.Reader)
	must(t, err)
	if !exists {
		t.Error("Create makes no reader")
	}
	must(t, e.Drop(t.Context(), read))
	exists, err = e.Exists(t.Context(), read.Reader)
	must(t, err)
	if exists {
		t.Error("Drop leaves the reader")
	}
	must(t, e.Create(t.Context(), target, true))
}
