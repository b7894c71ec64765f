package test

import (
	"slices"
	"strings"
	"testing"
)

// ddl are the statements of a queue.
func (d mysqlDatabase) ddl(t testing.TB) []string {
	t.Helper()
	var all []string
	for _, e := range d.queue(t) {
		all = append(all, e.DDL)
	}
	return all
}

// TestMySQLQueueCatchesUp: a change that could not be recorded is done, and its
// client is told so; the queue has it as soon as it can be read again.
func TestMySQLQueueCatchesUp(t *testing.T) {
	in := newInstallation(t, "mysql")
	d := in.mysqlUnlimited(t, "late", "tenant")
	conn, admin := d.connect(t), in.mysqlAdmin(t).connect(t)
	change(t, conn, "CREATE TABLE first (id INT)")
	change(t, admin, "RENAME TABLE tenantsdb.journal TO tenantsdb.away")
	change(t, conn, "create  table second (id int)")
	change(t, conn, "drop  table first; create  table third (id int)")
	wantColumn(t, conn, "SHOW TABLES", "second", "third")
	if a := in.call(t, "GET", "/workspaces/late/diff", nil); a.status < 500 {
		t.Errorf("the queue is shown (%d) though it lacks what is done", a.status)
	}
	if !strings.Contains(in.log.String(), "schema change not yet in the deploy queue") {
		t.Error("the log does not say that the queue is behind")
	}
	change(t, admin, "RENAME TABLE tenantsdb.away TO tenantsdb.journal")
	want := []string{"CREATE TABLE first (id INT)", "create  table second (id int)", "drop  table first", "create  table third (id int)"}
	if got := d.ddl(t); !slices.Equal(got, want) {
		t.Errorf("the queue has %q, want %q", got, want)
	}
	change(t, conn, "DROP TABLE third")
	if got := d.ddl(t); !slices.Equal(got, append(want, "DROP TABLE third")) {
		t.Errorf("the queue has %q afterwards", got)
	}
}

// TestMySQLTextKilledInBetween: in a text of several statements the client hears
// of each as it ends. What it heard of survives the program and the server.
func TestMySQLTextKilledInBetween(t *testing.T) {
	in := newInstallation(t, "mysql")
	d := in.mysqlUnlimited(t, "between", "tenant")
	conn := d.connect(t)
	rows, err := conn.QueryContext(t.Context(), "CREATE TABLE heard (id INT); ALTER TABLE heard ADD COLUMN x INT; SELECT 1; SELECT SLEEP(600); CREATE TABLE never (id INT)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() { // both changes were acknowledged before this row
		t.Fatalf("no row: %v", rows.Err())
	}
	in.kill()
	if err := in.start(); err != nil {
		t.Fatal(err)
	}
	want := []string{"CREATE TABLE heard (id INT)", "ALTER TABLE heard ADD COLUMN x INT"}
	if got := d.ddl(t); !slices.Equal(got, want) {
		t.Errorf("the queue has %q, want %q", got, want)
	}
	wantColumn(t, d.connect(t), "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION", "id", "x")
}
