package postgres

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// newTracked is a tenant-mode workspace that goes with the test.
func newTracked(t *testing.T, e *Engine) workspace.Target {
	t.Helper()
	target := newTarget()
	if err := e.Create(t.Context(), target, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Drop(context.Background(), target); err != nil {
			t.Error(err)
		}
	})
	return target
}

// session is one client of a workspace.
type session struct {
	t    *testing.T
	conn *pgx.Conn
}

func newSession(t *testing.T, target workspace.Target) session {
	t.Helper()
	conn, err := connectRole(t, target, target.Database)
	if err != nil {
		t.Fatal(err)
	}
	return session{t, conn}
}

// run sends text as one simple query and gives the command tags.
func (s session) run(text string) []string {
	s.t.Helper()
	results, err := s.conn.PgConn().Exec(s.t.Context(), text).ReadAll()
	if err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
	var tags []string
	for _, r := range results {
		tags = append(tags, r.CommandTag.String())
	}
	return tags
}

// fail sends text, which must fail.
func (s session) fail(text string) error {
	s.t.Helper()
	_, err := s.conn.PgConn().Exec(s.t.Context(), text).ReadAll()
	if err == nil {
		s.t.Fatalf("%s: succeeded", text)
	}
	return err
}

func changes(t *testing.T, e *Engine, target workspace.Target) []workspace.Change {
	t.Helper()
	list, err := e.Changes(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// taken is what changed since the last time; the journal is empty afterwards.
func taken(t *testing.T, e *Engine, target workspace.Target) []workspace.Change {
	t.Helper()
	list := changes(t, e, target)
	ids := make([]int64, len(list))
	for i, c := range list {
		ids[i] = c.JournalID
	}
	if err := e.Forget(t.Context(), target, ids); err != nil {
		t.Fatal(err)
	}
	return list
}

func statements(list []workspace.Change) []string {
	var all []string
	for _, c := range list {
		all = append(all, c.Statement)
	}
	return all
}

func wantStatements(t *testing.T, got []workspace.Change, want ...string) {
	t.Helper()
	if !slices.Equal(statements(got), want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(statements(got), "\n\t"), strings.Join(want, "\n\t"))
	}
}

// replay runs changes on an empty database with an owner of its own and gives
// the dump.
func replay(t *testing.T, e *Engine, list []workspace.Change) string {
	t.Helper()
	target := newWorkspace(t, e)
	s := newSession(t, target)
	for _, c := range list {
		for name, value := range c.Session {
			if _, err := s.conn.Exec(t.Context(), "SELECT set_config($1, $2, false)", name, value); err != nil {
				t.Fatalf("set %s to %q: %v", name, value, err)
			}
		}
		if _, err := s.conn.PgConn().Exec(t.Context(), c.Statement).ReadAll(); err != nil {
			t.Fatalf("replay %q (%s): %v", c.Statement, c.Operation, err)
		}
		s.run("RESET ALL")
	}
	return dump(t, target)
}

// wantReplay is the measure: the changes rebuild the schema, to the byte.
func wantReplay(t *testing.T, e *Engine, target workspace.Target, list []workspace.Change) {
	t.Helper()
	want, got := dump(t, target), replay(t, e, list)
	if got == want {
		return
	}
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("replayed schema differs at line %d:\nworkspace: %s\nreplayed:  %s", i+1, a[i], b[i])
		}
	}
	t.Fatalf("replayed schema has %d lines, the workspace's %d", len(b), len(a))
}
