package wiretest

import (
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// Peer is a server that follows a script, for what a real one won't do.
type Peer struct {
	// Addr is the path of its unix socket.
	Addr     string
	listener net.Listener
	serving  sync.WaitGroup
	mu       sync.Mutex
	accepted int
}

// NewPeer serves each connection with script, which must return when its
// connection fails; the connection is closed after it.
func NewPeer(t testing.TB, script func(net.Conn)) *Peer {
	t.Helper()
	p := &Peer{Addr: filepath.Join(t.TempDir(), "peer")}
	l, err := net.Listen("unix", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	p.listener = l
	p.serving.Go(func() { p.accept(script) })
	t.Cleanup(func() {
		l.Close()
		p.serving.Wait()
	})
	return p
}

func (p *Peer) accept(script func(net.Conn)) {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.accepted++
		p.mu.Unlock()
		p.serving.Go(func() {
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(patience)); err == nil {
				script(conn)
			}
		})
	}
}

// Accepted is how many connections there were so far.
func (p *Peer) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Await waits until cond holds.
func Await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	over := time.After(patience)
	for !cond() {
		select {
		case <-poll.C:
		case <-over:
			t.Fatalf("waited %v in vain until %s", patience, what)
		}
	}
}

// OpenFiles is how many file descriptors this process holds.
func OpenFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
