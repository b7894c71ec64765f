package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
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

// atEachMessage has round do something on an engine that is cut off at its first
// message, at its second, and so on, before the server has it and after, until it
// comes to its end both ways.
func atEachMessage(t *testing.T, round func(at string, dying func(do func(context.Context, *Engine) error) error)) {
	t.Helper()
	finished := 0
	for messages := 0; finished < 2; messages++ {
		if messages > 200 {
			t.Fatal("it never comes to its end")
		}
		for _, after := range []bool{false, true} {
			round(fmt.Sprintf("%d_%v", messages, after), func(do func(context.Context, *Engine) error) error {
				c := newCutter(t, messages, after)
				e := New(configOf(c.listener.Addr().String(), server.user, server.password))
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				err := do(ctx, e)
				cancel()
				e.Close()
				c.cut()
				if err == nil {
					finished++
				}
				return err
			})
		}
	}
}

// ownServer is a server of the test's own that may be killed, and the file with
// its process id; false where the tests run on a server that they were given.
func ownServer(t *testing.T) (e *Engine, pidFile string, ok bool) {
	t.Helper()
	if os.Getenv(serverVariable) != "" {
		t.Log("runs on a server of the tests' own")
		return nil, "", false
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
	return prepared(t, configOf(m.Socket(), m.User(), m.Password())), filepath.Join(dir, "data", "mysql.pid"), true
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
