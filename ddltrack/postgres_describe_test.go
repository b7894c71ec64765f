package ddltrack

import (
	"slices"
	"testing"
)

// users is the command that an ALTER of public.users ends as.
func users(tag string) Command {
	return Command{Tag: tag, SearchPath: []string{"public"}, Objects: []Object{
		{Tag: tag, Type: "table", Schema: "public", Identity: "public.users", Names: []string{"public", "users"}}}}
}

func TestDescribeNamesWhatAChangeNeeds(t *testing.T) {
	for _, test := range []struct {
		sql, identity string
		needs         []string
	}{
		{"ALTER TABLE users ADD COLUMN a int", "public.users.a", []string{"public.users"}},
		{"ALTER TABLE users ADD COLUMN a int, ADD COLUMN b int", "public.users", nil},
		{"ALTER TABLE users ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES app.far (id)", "public.users",
			[]string{"app", "app.far", "app.far.id", "public.users.a"}},
		{"ALTER TABLE users DROP COLUMN a", "public.users", []string{"public.users.a"}},
	} {
		d := Describe(Split(test.sql, true)[0], users("ALTER TABLE"))
		if d.Identity != test.identity {
			t.Errorf("%s: identity %s, want %s", test.sql, d.Identity, test.identity)
		}
		for _, want := range test.needs {
			if !slices.Contains(d.References, want) {
				t.Errorf("%s: references %v lack %s", test.sql, d.References, want)
			}
		}
		if slices.Contains(d.References, d.Identity) {
			t.Errorf("%s: needs itself", test.sql)
		}
	}
}

func TestDescribeWarnsOfWhatIsCertain(t *testing.T) {
	for _, test := range []struct {
		sql  string
		want []string
	}{
		{"ALTER TABLE users ADD COLUMN a int", nil},
		{"ALTER TABLE users ADD COLUMN a int NOT NULL DEFAULT 1", nil},
		{"ALTER TABLE users ADD COLUMN a int NOT NULL", []string{"fails where the table has rows, since the column has no default"}},
		{"ALTER TABLE users ADD COLUMN a serial", []string{"locks the table and rewrites it"}},
		{"ALTER TABLE users DROP COLUMN a", []string{"deletes the column's data"}},
		{"ALTER TABLE users ADD CONSTRAINT c CHECK (a > 1) NOT VALID", nil},
		{"ALTER TABLE users RENAME TO people", []string{"queries that use the old name fail"}},
		{"DROP TABLE users", []string{"deletes the table's rows"}},
		{"DROP VIEW users", nil},
		{"CREATE INDEX CONCURRENTLY ON users (a)", []string{"can't run inside a transaction"}},
	} {
		s := Split(test.sql, true)[0]
		if d := Describe(s, users(s.Tag())); !slices.Equal(d.Warnings, test.want) {
			t.Errorf("%s: got %q, want %q", test.sql, d.Warnings, test.want)
		}
	}
}

func TestStatementOfNewerGrammarIsFoundByItsWords(t *testing.T) {
	list := Split("SELECT 1; CREATE UNLOGGED TABLE a (i int) WITH NEW THING; CREATE VIEW v AS SELECT 1", true)
	got, ok := Find(list, Command{Tag: "CREATE TABLE", Ordinal: 0})
	if !ok || got.Text != "CREATE UNLOGGED TABLE a (i int) WITH NEW THING" {
		t.Fatalf("got %q", got.Text)
	}
	if d := Describe(got, users("CREATE TABLE")); d.Reversible || d.WhyNot == "" || d.Object != "users" {
		t.Errorf("%+v", d)
	}
}
