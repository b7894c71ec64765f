package workspace

import (
	"net"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// keyed is tables by their names with the parents of each; one that ends in ~ can
// be deferred.
func keyed(lines ...string) (copies []TableCopy, tables []DataTable) {
	for _, line := range lines {
		name, parents, _ := strings.Cut(line, ":")
		t := DataTable{Name: name, Key: name}
		for parent := range strings.FieldsSeq(parents) {
			plain, deferrable := strings.CutSuffix(parent, "~")
			t.Parents = append(t.Parents, DataParent{Table: plain, Constraint: name + "_" + plain, Deferrable: deferrable})
		}
		copies, tables = append(copies, TableCopy{Table: name}), append(tables, t)
	}
	return copies, tables
}

func TestCopiesAreInAnOrderThatMeetsForeignKeys(t *testing.T) {
	for _, test := range []struct {
		tables   []string
		order    string
		deferred bool
		problem  string
	}{
		{[]string{"a", "b", "c"}, "a b c", false, ""},
		{[]string{"a:b", "b:c", "c"}, "c b a", false, ""},
		{[]string{"a:a", "b:a a"}, "a b", false, ""},
		{[]string{"a:elsewhere"}, "a", false, ""},
		{[]string{"a:b~", "b"}, "b a", false, ""},
		{[]string{"a:b", "b:a~"}, "b a", true, ""},
		{[]string{"a:b~", "b:c", "c:a~", "d:a"}, "a c b d", true, ""},
		{[]string{"x", "a:b", "b:a"}, "", false, "a, b"},
		{[]string{"a:b~", "b:a~", "c:d", "d:c"}, "", false, "c, d"},
		{nil, "", false, ""},
	} {
		copies, tables := keyed(test.tables...)
		got, problem := orderCopies(copies, tables)
		if test.problem != "" {
			if !strings.Contains(problem, "circle among the tables "+test.problem+",") {
				t.Errorf("%v: got the problem %q", test.tables, problem)
			}
			continue
		}
		var order []string
		for _, c := range got.Tables {
			order = append(order, c.Table)
		}
		if strings.Join(order, " ") != test.order || got.Deferred != test.deferred || problem != "" {
			t.Errorf("%v: got %v, deferred %v, %q", test.tables, order, got.Deferred, problem)
		}
	}
}

func TestRoutingCandidatesAreColumnsOfSeveralTables(t *testing.T) {
	table := func(columns ...string) (t DataTable) {
		for _, c := range columns {
			t.Columns = append(t.Columns, DataColumn{Name: c})
		}
		return t
	}
	got := routingCandidates([]DataTable{
		table("id", "tenant_id", "user_id", "orgId"), table("tenant_id", "user_id", "orgId", "account"), table("tenant_id", "only_company_id", "company_id"), table("account"),
	})
	if want := []string{"tenant_id", "account", "orgId"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A deadline of whoever reads, past or future, holds beside our own.
func TestConnectionToASourceEndsWhenItSaysNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for name, prepare := range map[string]func(*livelyConn){
		"silence":  func(c *livelyConn) { c.silence = 10 * time.Millisecond },
		"deadline": func(c *livelyConn) { _ = c.SetDeadline(time.Now().Add(10 * time.Millisecond)) },
		"cut":      func(c *livelyConn) { _ = c.SetReadDeadline(time.Unix(1, 0)) },
	} {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c := &livelyConn{Conn: conn, silence: time.Hour}
		prepare(c)
		if _, err := c.Read(make([]byte, 1)); !os.IsTimeout(err) {
			t.Errorf("%s: got %v", name, err)
		}
		_ = c.Close()
	}
}
