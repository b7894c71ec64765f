package postgres

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// rebuild runs the definitions of one workspace on another.
func rebuild(t *testing.T, e *Engine, from, to workspace.Target) []string {
	t.Helper()
	definitions, err := e.Definitions(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connectRole(t, to, to.Database)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range definitions {
		if _, err := conn.PgConn().Exec(t.Context(), d).ReadAll(); err != nil {
			t.Errorf("%s\n\t%v", d, err)
		}
	}
	return definitions
}

func TestDefinitionsRebuildTheSchema(t *testing.T) {
	schemas, err := os.ReadDir("testdata/schemas")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range schemas {
		t.Run(strings.TrimSuffix(file.Name(), ".sql"), func(t *testing.T) {
			e := newEngine(t)
			from, to := newWorkspace(t, e), newWorkspace(t, e)
			script, err := os.ReadFile("testdata/schemas/" + file.Name())
			if err != nil {
				t.Fatal(err)
			}
			statements := strings.Split(strings.ReplaceAll(strings.TrimSpace(string(script)), ":role", quote(from.Role)), ";\n")
			asRole(t, from, statements...)
			first := rebuild(t, e, from, to)
			want, got := dump(t, from), dump(t, to)
			if got != want {
				t.Errorf("dumps differ:\n%s", difference(want, got))
			}
			second, err := e.Definitions(t.Context(), to)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(first, second) {
				t.Errorf("definitions of the copy differ:\n%s", difference(strings.Join(first, "\n"), strings.Join(second, "\n")))
			}
		})
	}
}

func TestDefinitionsReadAsAPersonWouldWriteThem(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	want := []string{
		"CREATE TABLE accounts (id BIGSERIAL PRIMARY KEY, email VARCHAR(255) NOT NULL UNIQUE, balance NUMERIC(10,2) DEFAULT 0 NOT NULL, tags TEXT[], seen TIMESTAMPTZ DEFAULT now())",
		"CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT NOT NULL)",
		"CREATE INDEX accounts_seen_idx ON public.accounts USING btree (seen)",
	}
	asRole(t, target, "CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT NOT NULL)",
		"CREATE TABLE accounts (id bigserial primary key, email varchar(255) not null unique, balance numeric(10,2) not null default 0, tags text[], seen timestamptz default now())",
		"CREATE INDEX ON accounts (seen)")
	got, err := e.Definitions(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDefinitionsOfAnEmptyWorkspaceAreNone(t *testing.T) {
	e := newEngine(t)
	got, err := e.Definitions(t.Context(), newWorkspace(t, e))
	if err != nil || len(got) != 0 {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDefinitionsLeaveNoTraceOfTheJournal(t *testing.T) {
	e := newEngine(t)
	tracked, plain := newTarget(), newWorkspace(t, e)
	if err := e.Create(t.Context(), tracked, true); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Drop(t.Context(), tracked); err != nil {
			t.Error(err)
		}
	}()
	if got, want := dump(t, tracked), dump(t, plain); got != want {
		t.Errorf("dump of a tracked workspace differs:\n%s", difference(want, got))
	}
	got, err := e.Definitions(t.Context(), tracked)
	if err != nil || len(got) != 0 {
		t.Errorf("got %q, %v", got, err)
	}
}

// difference is the lines that only one of two texts has.
func difference(want, got string) string {
	var b strings.Builder
	wants, gots := strings.Split(want, "\n"), strings.Split(got, "\n")
	for _, line := range wants {
		if !slices.Contains(gots, line) {
			b.WriteString("- " + line + "\n")
		}
	}
	for _, line := range gots {
		if !slices.Contains(wants, line) {
			b.WriteString("+ " + line + "\n")
		}
	}
	if b.Len() == 0 {
		return "(the same lines in another order)"
	}
	return b.String()
}
