package ddltrack

import "testing"

func TestWithIndexName(t *testing.T) {
	made := func(name string) Command {
		return Command{Tag: "CREATE INDEX", Objects: []Object{{Tag: "CREATE INDEX", Type: "index", Names: []string{"public", name}}}}
	}
	for _, test := range []struct{ sql, name, want string }{
		{"CREATE INDEX ON t (a)", "t_a_idx1", "CREATE INDEX t_a_idx1 ON t (a)"},
		{"create unique index concurrently /* on */ on only \"on\" (a)", "on_a_idx1", "create unique index concurrently /* on */ on_a_idx1 on only \"on\" (a)"},
		{"CREATE INDEX ON \"T\" (a)", "T_a_idx1", "CREATE INDEX \"T_a_idx1\" ON \"T\" (a)"},
		{"CREATE INDEX i ON t (a)", "i", "CREATE INDEX i ON t (a)"},
		{"CREATE TABLE t (a int)", "t", "CREATE TABLE t (a int)"},
	} {
		got := WithIndexName(single(Statement{Text: test.sql}, false), made(test.name))
		if got.Text != test.want || got.node == nil {
			t.Errorf("%s: got %s, want %s", test.sql, got.Text, test.want)
		}
	}
}
