package ddltrack

import (
	"strings"
	"testing"
)

// An executed text that is full of what may be its end is found by its tokens,
// and costs no parsing for each.
func TestNestedStatementsWithManyQuotes(t *testing.T) {
	const caller = "\"\nPL/pgSQL function inline_code_block line 1 at EXECUTE"
	const outer = "\"\nPL/pgSQL function inline_code_block line 1 at EXECUTE\nSQL statement \" DO $i$ BEGIN EXECUTE '…'; END $i$"
	lines := strings.Repeat("\"\n", 200_000)
	for _, test := range []struct{ executed, want string }{
		{"COMMENT ON TABLE t IS '" + lines + "'", "COMMENT ON TABLE t IS '" + lines + "'"},
		{"COMMENT ON TABLE t IS $a$" + lines + "$a$", "COMMENT ON TABLE t IS $a$" + lines + "$a$"},
		{"COMMENT ON TABLE \"\n\" IS 'x'", "COMMENT ON TABLE \"\n\" IS 'x'"},
		{"COMMENT ON TABLE t IS 'x' -- so", "COMMENT ON TABLE t IS 'x'"},
		{"/* " + lines + " */ COMMENT ON TABLE t IS 'x'", "COMMENT ON TABLE t IS 'x'"},
		{`COMMENT ON TABLE "a;b" IS NULL; SELECT 1 AS "a;b"`, `COMMENT ON TABLE "a;b" IS NULL`},
		{`COMMENT ON COLUMN t."a""" IS 'x'; SELECT 1 AS "a"""`, `COMMENT ON COLUMN t."a""" IS 'x'`},
		{`COMMENT ON TABLE t IS 'x'; SELECT 1 AS U&"a"`, `COMMENT ON TABLE t IS 'x'`},
		{strings.Repeat("SELECT 1; --\"\n", 40) + "COMMENT ON TABLE t IS 'x'", "COMMENT ON TABLE t IS 'x'"},
	} {
		for _, behind := range []string{caller, outer + caller} {
			s, found := FindNested(`SQL statement "`+test.executed+behind, nil, true, Command{Tag: "COMMENT"})
			if !found || s.Text != test.want || s.node == nil {
				t.Errorf("%.60q: got %.60q, %v", test.executed, s.Text, found)
			}
		}
	}
	hostile := "COMMENT ON TABLE t IS 'x'" + strings.Repeat(" 1 --\"\n", 100_000)
	if s, found := FindNested(`SQL statement "`+hostile+caller, nil, true, Command{Tag: "COMMENT"}); found && s.node != nil {
		t.Errorf("what is no SQL is found as %.60q", s.Text)
	}
}
