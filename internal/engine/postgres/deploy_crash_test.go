package postgres

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// cutter passes what an engine sends to the server, up to the message before
// which it cuts the connection, or behind which, so that the server does what
// nobody hears of.
type cutter struct {
	listener net.Listener
	at       int64 // the message, counted from 1; 0: none
	behind   bool
	sent     atomic.Int64
	running  sync.WaitGroup
}

// newCutter listens until the test ends.
func newCutter(t *testing.T, at int64, behind bool) *cutter {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: l, at: at, behind: behind}
	c.running.Go(func() {
		for {
			front, err := l.Accept()
			if err != nil {
				return
			}
			c.running.Go(func() { c.pass(front) })
		}
	})
	t.Cleanup(func() { l.Close(); c.running.Wait() })
	return c
}

func (c *cutter) pass(front net.Conn) {
	defer front.Close()
	back, err := net.Dial("unix", server.Socket())
	if err != nil {
		return
	}
	defer back.Close()
	c.running.Go(func() {
		io.Copy(front, back)
		front.Close()
	})
	b := make([]byte, 1<<16)
	for {
		n, err := front.Read(b)
		if err != nil {
			return
		}
		number := c.sent.Add(1)
		if number == c.at && !c.behind {
			return
		}
		if number == c.at {
			front.Close()
		}
		if _, err := back.Write(b[:n]); err != nil {
			return
		}
	}
}

// mixed is a version of everything that is deployed in its own way.
func mixed() []workspace.Version {
	return []workspace.Version{
		versionOf(1, "CREATE TABLE users (id serial PRIMARY KEY, email text)", "CREATE INDEX old ON users (id, email)",
			"CREATE TABLE logs (at date) PARTITION BY RANGE (at)", "CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM ('2030-01-01') TO ('2031-01-01')"),
		versionOf(2, "ALTER TABLE users ADD COLUMN n int", "CREATE INDEX CONCURRENTLY ON users (email)", "DROP INDEX CONCURRENTLY old",
			"ALTER TABLE logs DETACH PARTITION logs_1 CONCURRENTLY", "CREATE TABLE last (id int)"),
	}
}

// Whenever the process dies, the next one goes on where it ended, and each
// statement takes effect once.
func TestDeployIsExactlyOnceWhereverItIsCut(t *testing.T) {
	whole := newEngine(t)
	reference := newTenant(t, whole)
	for _, v := range mixed() {
		if err := whole.Deploy(t.Context(), reference, v); err != nil {
			t.Fatal(workspace.Causes(err))
		}
	}
	want := shapeOf(t, whole, reference)
	for _, behind := range []bool{false, true} {
		t.Run(fmt.Sprintf("behind %v", behind), func(t *testing.T) {
			target := newTenant(t, whole)
			for at := int64(1); ; at++ {
				emptied(t, whole, target)
				if err := whole.Deploy(t.Context(), target, mixed()[0]); err != nil {
					t.Fatal(err)
				}
				c := newCutter(t, at, behind)
				config := server.config()
				config.Address.Addr = c.listener.Addr().String()
				cut := New(config)
				err := cut.Deploy(t.Context(), target, mixed()[1])
				cut.Close()
				if c.sent.Load() < at {
					if err != nil {
						t.Fatal(err)
					}
					if at < 20 {
						t.Errorf("only %d messages", at)
					}
					return
				}
				// What closes the connection may fail without anybody to tell.
				if err != nil && workspace.ErrorCode(err) != workspace.Unavailable {
					t.Fatalf("cut at %d: got %v, want unavailable", at, workspace.Causes(err))
				}
				if err := whole.Deploy(t.Context(), target, mixed()[1]); err != nil {
					t.Fatalf("again after a cut at %d: %v", at, workspace.Causes(err))
				}
				if got := shapeOf(t, whole, target); got != want {
					t.Fatalf("after a cut at %d:\n%s\nwant\n%s", at, got, want)
				}
				if m := markOf(t, whole, target); m.Version != 2 || m.Next != 0 || len(m.Entries) != 0 {
					t.Fatalf("after a cut at %d: got mark %+v", at, m)
				}
			}
		})
	}
}

// emptied makes a tenant's database of mixed as it was when it was made.
func emptied(t *testing.T, e *Engine, target workspace.Target) {
	t.Helper()
	conn, release, err := e.admin(t.Context(), target.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := conn.Exec(t.Context(), "DROP TABLE IF EXISTS public.users, public.logs, public.logs_1, public.last; UPDATE pg_tenantsdb.deployed SET version = 0"); err != nil {
		t.Fatal(err)
	}
}

// shapeOf is what there is in a tenant's database, with the rights of its roles.
func shapeOf(t *testing.T, e *Engine, target workspace.Target) string {
	t.Helper()
	conn, release, err := e.admin(t.Context(), target.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	list, err := names(t.Context(), conn, `
		SELECT concat_ws(' ', c.relkind, c.relname, c.relowner::regrole, c.relacl, i.indisvalid, h.inhparent::regclass,
		       (SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
		          FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
		  FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_inherits h ON h.inhrelid = c.oid
		 WHERE c.relnamespace = 'public'::regnamespace ORDER BY c.relname`)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(target.Owner, "OWNER", target.Role, "ROLE").Replace(strings.Join(list, "\n"))
}

// What the server was doing when it died stays half-way: the statement has
// several transactions.
func TestDeployGoesOnFromHalfway(t *testing.T) {
	e := newEngine(t)
	for _, test := range []struct {
		name, holding, statement string
		indexes                  []string
		is                       string // afterwards
	}{
		{"index", "INSERT INTO users VALUES (7)", "CREATE UNIQUE INDEX CONCURRENTLY ON users (email)", []string{"(users_email_idx)", "old"},
			"SELECT count(*) = 2 FROM pg_index WHERE indrelid = 'users'::regclass AND indisvalid"},
		{"drop", "SELECT email FROM users", "DROP INDEX CONCURRENTLY old", []string{"(old)"},
			"SELECT to_regclass('old') IS NULL"},
		{"detach", "SELECT * FROM logs", "ALTER TABLE logs DETACH PARTITION logs_1 CONCURRENTLY", []string{"old"},
			"SELECT count(*) = 0 FROM pg_inherits"},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := newTenant(t, e)
			mustDeploy(t, e, target, []string{"CREATE TABLE users (id int, email text)", "CREATE INDEX old ON users (id)",
				"CREATE TABLE logs (at date) PARTITION BY RANGE (at)", "CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM ('2030-01-01') TO ('2031-01-01')"})
			client := asClient(t, target)
			if _, err := client.Exec(t.Context(), "BEGIN; "+test.holding); err != nil {
				t.Fatal(err)
			}
			deployed := make(chan error, 1)
			version := versionOf(2, test.statement)
			go func() { deployed <- e.Deploy(t.Context(), target, version) }()
			waitFor(t, e, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE usename = '"+target.Owner+"' AND wait_event_type = 'Lock')")
			if err := execAdmin(t, e, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '"+target.Owner+"'"); err != nil {
				t.Fatal(err)
			}
			if err := <-deployed; workspace.ErrorCode(err) != workspace.Unavailable || !errors.Is(err, workspace.ErrPartly) {
				t.Fatalf("got %v", workspace.Causes(err))
			}
			if indexes := indexesOf(t, e, target); !slices.Equal(indexes, test.indexes) {
				t.Fatalf("it was not stopped half-way: got indexes %q, want %q", indexes, test.indexes)
			}
			if _, err := client.Exec(t.Context(), "COMMIT"); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := e.Deploy(t.Context(), target, version); err != nil {
					t.Fatal(workspace.Causes(err))
				}
			}
			var is bool
			if err := client.QueryRow(t.Context(), test.is).Scan(&is); err != nil || !is {
				t.Errorf("%s: got %v, %v", test.is, is, err)
			}
			if m := markOf(t, e, target); m.Version != 2 {
				t.Errorf("got mark %+v", m)
			}
		})
	}
}

func TestAnIndexThatCannotBeBuiltLeavesNothing(t *testing.T) {
	e := newEngine(t)
	target := newTenant(t, e)
	mustDeploy(t, e, target, []string{"CREATE TABLE users (email text)"})
	client := asClient(t, target)
	if _, err := client.Exec(t.Context(), "INSERT INTO users VALUES ('a'), ('a')"); err != nil {
		t.Fatal(err)
	}
	version := versionOf(2, "CREATE UNIQUE INDEX CONCURRENTLY ON users (email)")
	err := e.Deploy(t.Context(), target, version)
	failure, _ := errors.AsType[*workspace.Error](err)
	if failure == nil || failure.Details["sqlstate"] != "23505" || failure.Details["ddl_id"] != int64(200) || errors.Is(err, workspace.ErrPartly) {
		t.Fatalf("got %v", err)
	}
	if indexes := indexesOf(t, e, target); len(indexes) != 0 {
		t.Errorf("got indexes %q", indexes)
	}
	if m := markOf(t, e, target); m.Version != 1 || m.Next != 0 {
		t.Errorf("got mark %+v", m)
	}
	// Where something of the version is there before it, it is.
	err = e.Deploy(t.Context(), target, versionOf(2, "CREATE TABLE more (id int)", "CREATE UNIQUE INDEX CONCURRENTLY ON users (email)"))
	if !errors.Is(err, workspace.ErrPartly) {
		t.Errorf("got %v, want a part", err)
	}
	if _, err := client.Exec(t.Context(), "TRUNCATE users"); err != nil {
		t.Fatal(err)
	}
	if err := e.Deploy(t.Context(), target, versionOf(2, "CREATE TABLE more (id int)", "CREATE UNIQUE INDEX CONCURRENTLY ON users (email)")); err != nil {
		t.Fatal(err)
	}
	if indexes := indexesOf(t, e, target); !slices.Equal(indexes, []string{"users_email_idx"}) {
		t.Errorf("got indexes %q", indexes)
	}
}

// What is not there is the server's error, and no version is taken for done
// because there is nothing left to drop.
func TestWhatIsNotThereCannotBeDropped(t *testing.T) {
	e := newEngine(t)
	target := newTenant(t, e)
	mustDeploy(t, e, target, []string{"CREATE TABLE logs (at date) PARTITION BY RANGE (at)", "CREATE TABLE other (at date)"})
	for statement, code := range map[string]string{
		"DROP INDEX CONCURRENTLY nowhere":                        "42704",
		"ALTER TABLE logs DETACH PARTITION nowhere CONCURRENTLY": "42P01",
		"ALTER TABLE logs DETACH PARTITION other CONCURRENTLY":   "42P01",
		"CREATE INDEX CONCURRENTLY ON nowhere (at)":              "42P01",
		"CREATE INDEX CONCURRENTLY ON logs (at)":                 "0A000",
	} {
		for range 2 {
			err := e.Deploy(t.Context(), target, versionOf(2, statement))
			if sqlState(err) != code || errors.Is(err, workspace.ErrPartly) || workspace.ErrorCode(err) != workspace.BadRequest {
				t.Errorf("%s: got %v, want %s", statement, workspace.Causes(err), code)
			}
		}
		if m := markOf(t, e, target); m.Version != 1 || m.Next != 0 {
			t.Errorf("%s: got mark %+v", statement, m)
		}
	}
}
