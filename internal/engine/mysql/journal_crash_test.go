package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/devstack"
	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
)

// cutter stands between an engine and its server, and cuts all connections at
// one message of the engine: before it reaches the server, or after.
type cutter struct {
	listener net.Listener
	left     atomic.Int64 // messages that pass
	after    bool
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

func newCutter(t *testing.T, messages int, after bool) *cutter {
	t.Helper()
	dir, err := os.MkdirTemp("", "cut")
	must(t, err)
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	must(t, err)
	c := &cutter{listener: l, after: after}
	c.left.Store(int64(messages))
	c.wg.Go(c.accept)
	t.Cleanup(func() {
		c.cut()
		c.wg.Wait()
		os.RemoveAll(dir)
	})
	return c
}

func (c *cutter) accept() {
	for {
		front, err := c.listener.Accept()
		if err != nil {
			return
		}
		back, err := net.Dial("unix", server.socket)
		if err != nil {
			front.Close()
			continue
		}
		c.mu.Lock()
		c.conns = append(c.conns, front, back)
		c.mu.Unlock()
		c.wg.Go(func() { c.forward(front, back) })
		c.wg.Go(func() {
			io.Copy(front, back)
			front.Close()
		})
	}
}

// forward takes each read for a message: the engine sends one and waits.
func (c *cutter) forward(front, back net.Conn) {
	defer back.Close()
	b := make([]byte, 1<<20)
	for {
		n, err := front.Read(b)
		if err != nil {
			return
		}
		last := c.left.Add(-1) < 0
		if !last || c.after {
			back.Write(b[:n])
		}
		if last {
			if c.after {
				// The server has it and answers; the answer is lost.
				front.Close()
				io.Copy(io.Discard, back)
			}
			c.cut()
			return
		}
	}
}

func (c *cutter) cut() {
	c.listener.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
}

// However far a reader comes before it dies, each change is in the journal once.
func TestReaderMayDieBetweenAnyTwoSteps(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	s := newSession(t, e, target)
	finished := 0
	for messages := 0; finished < 2; messages++ {
		for _, after := range []bool{false, true} {
			sql := fmt.Sprintf("CREATE TABLE t%d_%v (a int)", messages, after)
			s.run(sql)
			c := newCutter(t, messages, after)
			dying := New(configOf(c.listener.Addr().String(), server.user, server.password))
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			list, err := dying.Changes(ctx, target)
			cancel()
			dying.Close()
			c.cut()
			got := taken(t, e, target)
			wantStatements(t, got, sql)
			if err == nil {
				wantStatements(t, list, sql)
				if len(list) > 0 && list[0].JournalID != got[0].JournalID {
					t.Errorf("%s had id %d and has %d", sql, list[0].JournalID, got[0].JournalID)
				}
				finished++
			}
		}
		if messages > 200 {
			t.Fatal("the reader never comes to its end")
		}
	}
}

// TestServerMayBeKilled kills a server of its own while schema changes stream in.
// What is in the dictionary afterwards, and nothing else, is in the journal.
func TestServerMayBeKilled(t *testing.T) {
	if os.Getenv(serverVariable) != "" {
		t.Log("runs on a server of the tests' own")
		return
	}
	dir := devstacktest.Dir(t)
	m, err := devstack.StartMySQL(t.Context(), devstack.MySQLConfig{Dir: dir})
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := m.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	e := prepared(t, configOf(m.Socket(), m.User(), m.Password()))
	target := newTracked(t, e)
	acknowledged := map[string]bool{}
	for round := range 4 {
		awaitServer(t, e)
		ctx, cancel := context.WithCancel(t.Context())
		var (
			mu sync.Mutex
			wg sync.WaitGroup
			// A reader under the race detector is slower than three writers:
			// these go no further ahead of it than there is room.
			ahead = make(chan struct{}, 150)
		)
		for worker := range 3 {
			c, err := e.connect(t.Context(), target.Role, target.Password, target.Database)
			must(t, err)
			wg.Go(func() {
				defer c.close()
				for n := 0; ; n++ {
					name := fmt.Sprintf("t%d_%d_%d", round, worker, n)
					sql := "CREATE TABLE " + name + " (a int)"
					if n%4 == 3 {
						name = fmt.Sprintf("v%d_%d_%d", round, worker, n)
						sql = "CREATE VIEW " + name + " AS SELECT 1 AS a"
					}
					select {
					case ahead <- struct{}{}:
					case <-ctx.Done():
						return
					}
					if c.exec(ctx, sql) != nil {
						return
					}
					mu.Lock()
					acknowledged[name] = true
					mu.Unlock()
				}
			})
		}
		for range 3 {
			_, err := e.Changes(t.Context(), target)
			must(t, err)
			for len(ahead) > 0 {
				<-ahead
			}
		}
		kill(t, filepath.Join(dir, "data", "mysql.pid"))
		cancel()
		wg.Wait()
	}
	awaitServer(t, e)
	var recorded []string
	for _, c := range changes(t, e, target) {
		recorded = append(recorded, c.Object)
	}
	slices.Sort(recorded)
	admin := administrator(t, e)
	list, err := listObjects(t.Context(), admin.conn, target.Database)
	must(t, err)
	var there []string
	for _, o := range list {
		there = append(there, o.name)
	}
	slices.Sort(there)
	if !slices.Equal(recorded, there) {
		t.Errorf("journal has %d objects, the database %d:\n%v\n%v", len(recorded), len(there), recorded, there)
	}
	for name := range acknowledged {
		if !slices.Contains(recorded, name) {
			t.Errorf("%s was acknowledged and is not recorded", name)
		}
	}
	if len(there) == 0 {
		t.Error("nothing was made")
	}
}

func kill(t *testing.T, pidFile string) {
	t.Helper()
	text, err := os.ReadFile(pidFile)
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(t, err)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
}

func awaitServer(t *testing.T, e *Engine) {
	t.Helper()
	await(t, "the server is back", func() bool { return e.Ping(t.Context()) == nil })
}
