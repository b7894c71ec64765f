package ddltrack

import (
	"slices"
	"strings"
	"testing"
)

func texts(list []Statement) []string {
	var all []string
	for _, s := range list {
		all = append(all, s.Text)
	}
	return all
}

func TestSplitGivesStatementsAsSent(t *testing.T) {
	tests := []struct {
		name, sql string
		want      []string
	}{
		{"empty", "", nil},
		{"comments only", " -- nothing\n /* at /* all */ */ ; ;", nil},
		{"one", "CREATE TABLE a (i int)", []string{"CREATE TABLE a (i int)"}},
		{"space and comments around", "\n-- why\nCREATE TABLE a (i int /* x; */) /* y */ ; -- z", []string{"CREATE TABLE a (i int /* x; */)"}},
		{"strings", `SELECT ';', E'\';', $$;$$, $t$;$$;$t$, ";" ; SELECT U&'\0041;'`, []string{`SELECT ';', E'\';', $$;$$, $t$;$$;$t$, ";"`, `SELECT U&'\0041;'`}},
		{"rule", "CREATE RULE r AS ON INSERT TO a DO (SELECT 1; SELECT 2); SELECT 3", []string{"CREATE RULE r AS ON INSERT TO a DO (SELECT 1; SELECT 2)", "SELECT 3"}},
		{"atomic body", "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3",
			[]string{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END", "SELECT 3"}},
		{"other letters", "COMMENT ON TABLE a IS 'größe;'; SELECT 'é'", []string{"COMMENT ON TABLE a IS 'größe;'", "SELECT 'é'"}},
		{"unknown grammar", "CREATE NEWTHING a; SELECT ';'; BEGIN", []string{"CREATE NEWTHING a", "SELECT ';'", "BEGIN"}},
		{"unfinished string", "SELECT 1; SELECT 'a;", []string{"SELECT 1", "SELECT 'a;"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := texts(Split(test.sql, true)); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if strings.Contains(test.sql, `\`) {
				return
			}
			// The lexer alone must agree with the parser.
			if got := texts(cut(test.sql, false)); !slices.Equal(got, test.want) {
				t.Errorf("by tokens: got %q, want %q", got, test.want)
			}
		})
	}
}

func TestSplitHeedsBackslashesWhereStringsAreNotStandard(t *testing.T) {
	const sql = `COMMENT ON TABLE a IS 'it\'s; x'; SELECT 1`
	got := Split(sql, false)
	if want := []string{`COMMENT ON TABLE a IS 'it\'s; x'`, `SELECT 1`}; !slices.Equal(texts(got), want) {
		t.Fatalf("got %q, want %q", texts(got), want)
	}
	if got[0].Tag() != "COMMENT" {
		t.Errorf("tag %q", got[0].Tag())
	}
}

func TestSplitOfALongTextParsesWhatMayBeDDL(t *testing.T) {
	sql := strings.Repeat("INSERT INTO a VALUES ('CREATE TABLE;');\n", 20000) + "CREATE TABLE b (i int)"
	got := Split(sql, true)
	if len(got) != 20001 || got[20000].Tag() != "CREATE TABLE" {
		t.Errorf("%d statements", len(got))
	}
}

func TestDeepTextIsNotGivenToTheParser(t *testing.T) {
	for _, sql := range []string{
		"CREATE VIEW v AS SELECT " + strings.Repeat("(", 1_000_000) + "1",
		"CREATE VIEW v AS SELECT 1" + strings.Repeat("+1", 1_000_000),
		"CREATE VIEW v AS SELECT " + strings.Repeat("NOT ", 500_000) + "true",
		"CREATE VIEW v AS SELECT 1" + strings.Repeat(" UNION SELECT 1", 200_000),
		"CREATE VIEW v AS SELECT '1'" + strings.Repeat("::text", 500_000),
		strings.Repeat("CASE WHEN 1 THEN ", 100_000),
	} {
		if got := Split(sql, true); len(got) != 1 || got[0].node != nil {
			t.Errorf("%.40s: parsed", sql)
		}
	}
}

func TestFindFollowsTheTransaction(t *testing.T) {
	const sql = `CREATE TABLE a (i int); SAVEPOINT x; CREATE TABLE b (i int); ROLLBACK TO x; CREATE TABLE c (i int); SELECT 1; CREATE TABLE d (i int)`
	list := Split(sql, true)
	for _, test := range []struct {
		ordinal int
		name    string
	}{{0, "a"}, {1, "c"}, {2, "d"}} {
		c := Command{Tag: "CREATE TABLE", Ordinal: test.ordinal,
			Objects: []Object{{Tag: "CREATE TABLE", Type: "table", Schema: "public", Identity: "public." + test.name, Names: []string{"public", test.name}}}}
		got, ok := Find(list, c)
		if want := "CREATE TABLE " + test.name + " (i int)"; !ok || got.Text != want {
			t.Errorf("%d: got %q, want %q", test.ordinal, got.Text, want)
		}
	}
	if got, ok := Find(list, Command{Tag: "DROP VIEW", Ordinal: 1}); ok {
		t.Errorf("found %q for a command that is not in the text", got.Text)
	}
}

func TestSearchPath(t *testing.T) {
	got := SearchPath(`"$user", public, App, "Odd, ""one""", pg_temp`)
	if want := []string{"public", "app", `Odd, "one"`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
