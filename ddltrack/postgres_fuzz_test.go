package ddltrack

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func seeds(f *testing.F) {
	f.Helper()
	for _, sql := range []string{
		"CREATE TABLE a (i int); DROP TABLE a", "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; SELECT 1",
		"SELECT $a$;$a$, 'x', E'\\'', U&\"d\\0061t\", \"q\"\"q\"", "/* /* */ */ EXPLAIN ANALYZE SELECT 1 INTO a",
		"ALTER TABLE s.a ADD COLUMN b int, ADD CONSTRAINT c CHECK (b > 1)", "GRANT SELECT ON a, pg_temp.b TO PUBLIC",
		"CREATE INDEX ON a (lower(b)) WHERE c", "ALTER TYPE m RENAME VALUE 'a' TO 'b'", "BEGIN; SAVEPOINT x; ROLLBACK TO x",
		"CLUSTER a USING i", "$", "'", "/*", "--", "$1$", "CREATE", "(((((", "COMMENT ON TABLE a IS 'ü'",
	} {
		f.Add(sql)
	}
}

func FuzzSplit(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, sql string) {
		if !utf8.ValidString(sql) || strings.ContainsRune(sql, 0) {
			return // the server refuses it before it is read
		}
		for _, standardStrings := range []bool{true, false} {
			from := 0
			for _, s := range Split(sql, standardStrings) {
				if s.Text == "" || s.at < from || !strings.HasPrefix(sql[s.at:], s.Text) {
					t.Fatalf("%q is not at %d, behind %d, of %q", s.Text, s.at, from, sql)
				}
				from = s.at + len(s.Text)
			}
		}
	})
}

func FuzzDescribe(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, sql string) {
		if !utf8.ValidString(sql) || strings.ContainsRune(sql, 0) {
			return
		}
		for _, s := range Split(sql, true) {
			c := Command{Tag: s.Tag(), SearchPath: []string{"public"}, Temporary: []string{"b"},
				Objects: []Object{{Tag: s.Tag(), Type: "table", Schema: "public", Identity: "public.a", Names: []string{"public", "a"}}}}
			s, ok := Persistent(s, c)
			if !ok {
				continue
			}
			d := Describe(s, c)
			if d.Reversible != (d.Reverse != "") || d.Reversible == (d.WhyNot != "") {
				t.Fatalf("%+v", d)
			}
			if d.Reversible {
				if list := Split(d.Reverse, true); len(list) != 1 || list[0].node == nil {
					t.Fatalf("%q: the reverse %q is no statement", sql, d.Reverse)
				}
			}
		}
	})
}

func FuzzUnjournaled(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, sql string) {
		if !utf8.ValidString(sql) || strings.ContainsRune(sql, 0) {
			return
		}
		u, found := Unjournaled(sql)
		if found != (u.Refusal != "" || u.Instead != "") || u.Refusal != "" && u.Instead != "" {
			t.Fatalf("found %v, %+v", found, u)
		}
		// The cheap look must never miss what the parser finds.
		for _, s := range Split(sql, true) {
			if reason, _ := s.unjournaled(); reason != "" && !found {
				t.Fatalf("%q passed", s.Text)
			}
		}
		if u.Instead == "" {
			return
		}
		if _, again := Unjournaled(u.Instead); again {
			t.Fatalf("%q is put in the place of %q", u.Instead, sql)
		}
		if was, is := len(Split(sql, true)), len(Split(u.Instead, true)); was != is {
			t.Fatalf("%q has %d statements, %q in its place has %d", sql, was, u.Instead, is)
		}
	})
}

func FuzzFindNested(f *testing.F) {
	f.Add("SQL statement \"CREATE TABLE a (i int)\"\nPL/pgSQL function f() line 1 at SQL statement", "CREATE TABLE a (i int)")
	f.Add(`SQL function "f" statement 2`, "SELECT 1; CREATE TABLE a (i int)")
	f.Fuzz(func(t *testing.T, context, source string) {
		if !utf8.ValidString(context+source) || strings.ContainsRune(context+source, 0) {
			return
		}
		if s, ok := FindNested(context, []string{source}, true, Command{Tag: "CREATE TABLE"}); ok && s.Text == "" {
			t.Fatal("found nothing")
		}
	})
}
