package mysql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// The roles of these worlds may change the schema: what is refused is refused by
// the proxy.
func TestTenantsSchemaIsNotChanged(t *testing.T) {
	w := newWorld(t, withMode(workspace.Deployed))
	admin := adminDB(t)
	for _, sql := range []string{"create table %s.goods (id int primary key)", "create procedure %s.p() select 1"} {
		mustExec(t, admin, fmt.Sprintf(sql, w.route.Database))
	}
	c := w.wire(t)
	for _, text := range []string{
		"create table x (id int)", "  /* x */ ALTER table goods add name text", "drop table goods", "rename table goods to things",
		"create view v as select 1", "create index i on goods (id)", "drop database " + w.route.Database, "create table x as select 1",
		"insert into goods values (1); create table x (id int); insert into goods values (2)",
		"prepare s from 'create table x (id int)'", "/*!40101 create table x (id int) */", "alter table goods " + strings.Repeat("/* long */", 1<<13) + " force",
	} {
		for _, command := range []byte{mysql.COM_QUERY, mysql.COM_STMT_PREPARE} {
			c.send(command, []byte(text))
			p := c.read()
			if p.number() != mysql.ER_TABLEACCESS_DENIED_ERROR || p.sequence != 1 || !strings.Contains(p.text(), workspace.NoDDL) {
				t.Errorf("command %d, %.60q: got %d %q, want 1142 of ours", command, text, p.sequence, p.payload)
			}
		}
	}
	if got := c.value("select concat(count(*), (select count(*) from goods)) from information_schema.tables where table_schema = database()"); got != "10" {
		t.Errorf("tables and rows are %s, want 1 and 0", got)
	}
	for _, text := range []string{
		"create temporary table x (id int)", "insert into x values (1)", "insert into x select 2 union select 3", "drop temporary table x",
		"insert into goods values (1); insert into goods values (2)", "call p()", "prepare s from 'create temporary table y (id int)'; execute s",
		"analyze table goods", "truncate goods", "select 'drop table goods'", "set @made = 'select 1'", "begin", "commit",
	} {
		if kinds, all := c.ask(text); strings.Contains(kinds, "E") {
			t.Errorf("%s: got %s %q", text, kinds, all[len(all)-1].payload)
		}
	}
	c.usable()
}

// A transaction goes on behind a refusal.
func TestARefusedDefinitionEndsNoTransaction(t *testing.T) {
	w := newWorld(t, withMode(workspace.Deployed))
	mustExec(t, adminDB(t), fmt.Sprintf("create table %s.goods (id int primary key) engine = innodb", w.route.Database))
	c := w.wire(t)
	for _, text := range []string{"begin", "insert into goods values (1)", "create table x (id int)", "rollback"} {
		c.ask(text)
	}
	if got := c.value("select count(*) from goods"); got != "0" {
		t.Errorf("%s rows are left, want the insert rolled back", got)
	}
}

// What is too long to be held passes, unless it begins with a definition.
func TestLongTextsOfTenants(t *testing.T) {
	w := newWorld(t, withMode(workspace.Deployed))
	c := w.wire(t)
	long := strings.Repeat("create table x; ", maxStatement/8)
	for text, want := range map[string]string{"select '" + long + "'": "CDFRZ", "create table x (id int) comment '" + long + "'": "E"} {
		kinds, all := c.ask(text)
		if kinds != want {
			t.Errorf("%.40q…: got %s %.100q, want %s", text, kinds, all[0].payload, want)
		}
		if want == "E" && all[0].number() != mysql.ER_TABLEACCESS_DENIED_ERROR {
			t.Errorf("%.40q…: got %q, want 1142", text, all[0].payload)
		}
	}
	c.usable()
}

func TestSuspendedTenantsLetNobodyIn(t *testing.T) {
	w := newWorld(t, withMode(workspace.Deployed))
	c := w.wire(t)
	w.live.SetSuspended(true)
	w.server.CloseWorkspace(t.Context(), w.live.ID)
	if p := c.read(); p.number() != numberAccountLocked {
		t.Errorf("an open session hears %q, want 3118", p.payload)
	}
	if _, err := w.tryWire(t, w.identity()); refusedWith(err) != numberAccountLocked {
		t.Errorf("a login hears %v, want 3118", err)
	}
	w.live.SetSuspended(false)
	w.wire(t).usable()
}
