package mysql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// recording is a tracked world and a client of it.
func recording(t *testing.T) (*world, *wire) {
	w := newWorld(t, withMode(workspace.Tenant))
	return w, w.wire(t)
}

// recorded is how many records there were, and what was announced, since it
// was called last.
func (w *world) recorded() (int, []string) { return w.recorder.Taken() }

func TestASchemaChangeIsAnnouncedAndRecordedBeforeItsReply(t *testing.T) {
	w, c := recording(t)
	for _, statement := range []string{
		"create table goods (id int)", "  /* x */ ALTER table goods add name text", "rename table goods to things",
		"create or replace view v as select 1", "drop view v", "insert into things (id) values (1); create table second (id int)",
		"create procedure p() create table made (id int)", "call p()", "prepare s from 'create table dynamic (id int)'; execute s",
	} {
		seen := -1
		w.recorder.Before(func() error {
			seen = w.recorder.Records()
			return nil
		})
		if kinds, all := c.ask(statement); strings.Contains(kinds, "E") {
			t.Errorf("%s: got %s %q", statement, kinds, all[len(all)-1].payload)
		}
		if n, announced := w.recorded(); n != 1 || seen != 1 || !slices.Equal(announced, []string{statement}) {
			t.Errorf("%s: %d records, announced %q", statement, n, announced)
		}
	}
	for _, statement := range []string{"select 1", "insert into things (id) values (2)", "select 'create table x (id int)'", "begin", "commit", "set @x = 1"} {
		c.ask(statement)
		if n, announced := w.recorded(); n != 0 || announced != nil {
			t.Errorf("%s: %d records, announced %q", statement, n, announced)
		}
	}
}

func TestAFailedStatementIsRecordedToo(t *testing.T) {
	w, c := recording(t)
	c.ask("create table goods (id int)")
	w.recorded()
	if kinds, _ := c.ask("drop table goods, nothing"); kinds != "E" {
		t.Fatalf("got %s, want an error", kinds)
	}
	if n, _ := w.recorded(); n != 1 {
		t.Errorf("%d records, want 1: the first table is gone", n)
	}
}

func TestAPreparedSchemaChangeIsRecordedWhenItRuns(t *testing.T) {
	w, c := recording(t)
	id, harmless := c.prepare("create table if not exists goods (id int)"), c.prepare("select 1")
	if n, announced := w.recorded(); n != 0 || announced != nil {
		t.Errorf("prepared: %d records, announced %q", n, announced)
	}
	for range 2 {
		c.execute(id, 0)
		if kinds, _ := c.reply(); kinds != "K" {
			t.Fatalf("got %s", kinds)
		}
		if n, announced := w.recorded(); n != 1 || !slices.Equal(announced, []string{"create table if not exists goods (id int)"}) {
			t.Errorf("executed: %d records, announced %q", n, announced)
		}
	}
	c.execute(harmless, 0)
	c.reply()
	if n, _ := w.recorded(); n != 0 {
		t.Errorf("harmless: %d records", n)
	}
	t.Run("ahead", func(t *testing.T) {
		if !isMariaDB(serverVersion(t)) {
			return // it alone knows the statement prepared last by no number
		}
		c.send(mysql.COM_STMT_PREPARE, []byte("drop table goods"))
		c.execute(lastPrepared, 0)
		c.prepared()
		if kinds, all := c.reply(); kinds != "K" {
			t.Fatalf("got %s %q", kinds, all[0].payload)
		}
		if n, announced := w.recorded(); n != 1 || len(announced) != 1 {
			t.Errorf("%d records, announced %q", n, announced)
		}
	})
	t.Run("closed", func(t *testing.T) {
		c.send(mysql.COM_STMT_CLOSE, u32(id))
		c.execute(id, 0)
		c.reply()
		if n, _ := w.recorded(); n != 0 {
			t.Errorf("%d records", n)
		}
	})
}

func TestAStatementTooLongToReadIsRecorded(t *testing.T) {
	w, c := recording(t)
	c.ask("create table goods (doc longtext)")
	w.recorded()
	long := "insert into goods values ('" + strings.Repeat("x", 3<<20) + "')"
	if kinds, all := c.ask(long); kinds != "K" {
		t.Fatalf("got %s %q", kinds, all[0].payload)
	}
	if n, announced := w.recorded(); n != 1 || announced != nil {
		t.Errorf("%d records, announced %d texts", n, len(announced))
	}
	held := "insert into goods values ('" + strings.Repeat("x", maxStatement-100) + "')"
	if kinds, _ := c.ask(held); kinds != "K" {
		t.Fatal("a text that is just held fails")
	}
	if n, _ := w.recorded(); n != 0 {
		t.Errorf("held: %d records", n)
	}
}

// A change that is done is not told to have failed: the server's log has it, and
// the next record takes it from there.
func TestAChangeThatIsNotRecordedYetIsDone(t *testing.T) {
	w, c := recording(t)
	w.recorder.Before(func() error { return errors.New("the catalog is away") })
	for _, statement := range []string{"create table goods (id int)", "create table second (id int); select 1"} {
		if kinds, all := c.ask(statement); strings.Contains(kinds, "E") {
			t.Errorf("%s: got %s %q", statement, kinds, all[len(all)-1].payload)
		}
	}
	w.recorder.Before(nil)
	w.recorded()
	if kinds, _ := c.ask("drop table goods, second"); kinds != "K" {
		t.Errorf("got %s: the tables are not there, or the session is not as it was", kinds)
	}
	if n, _ := w.recorded(); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
}

func TestControlWorkspacesAreNotRecorded(t *testing.T) {
	w := newWorld(t)
	c := w.wire(t)
	c.ask("create table goods (id int)")
	if n, announced := w.recorded(); n != 0 || announced != nil {
		t.Errorf("%d records, announced %q", n, announced)
	}
}

func TestStatementsAreRememberedWithinBounds(t *testing.T) {
	var s statements
	text := strings.Repeat("x", 1<<20)
	for id := range uint32(maxPrepared + 100) {
		s.prepare(text, true)
		s.prepared(id)
	}
	if s.kept > maxTexts {
		t.Errorf("%d bytes are kept, want at most %d", s.kept, maxTexts)
	}
	if got, may := s.text(0); got != text || !may {
		t.Error("the first is forgotten")
	}
	if got, may := s.text(maxPrepared - 1); got != "" || !may {
		t.Error("one beyond the bound is not known to change the schema")
	}
	s.forgetAll()
	if s.kept != 0 {
		t.Errorf("%d bytes are kept after all", s.kept)
	}
}

func TestQueryAttributesAreReadOver(t *testing.T) {
	track := track{capabilities: capabilities{base: mysql.CLIENT_QUERY_ATTRIBUTES}}
	for name, payload := range map[string]string{
		"none":  "\x00\x01drop table x",
		"one":   "\x01\x01\x00\x01\xfe\x00\x04name\x05valuedrop table x",
		"null":  "\x01\x01\x01\x01\x06\x00\x01ndrop table x",
		"types": "\x03\x01\x00\x01\x03\x00\x01a\x08\x00\x01b\x0c\x00\x01c\x01\x00\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08\x04\xe8\x07\x01\x01drop table x",
	} {
		if got := string(track.capabilities.queryText([]byte(payload))); got != "drop table x" {
			t.Errorf("%s: got %q", name, got)
		}
	}
	for i := range "\x01\x01\x00\x01\xfe\x00\x04name\x05value" {
		part := []byte("\x01\x01\x00\x01\xfe\x00\x04name\x05value"[:i])
		_ = fmt.Sprint(track.capabilities.queryText(part)) // must not panic
	}
}
