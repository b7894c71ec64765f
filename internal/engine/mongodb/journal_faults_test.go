package mongodb

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// cutter stands between an engine and the server and ends connections after a
// number of requests, with the last one delivered or not, and its answer lost.
type cutter struct {
	listener net.Listener
	socket   string       // of the server
	left     atomic.Int64 // requests until the next cut; negative: never
	late     atomic.Bool  // the request before the cut reaches the server
	wg       sync.WaitGroup
}

func newCutter(t *testing.T, socket string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: l, socket: socket}
	c.left.Store(-1)
	c.wg.Go(c.accept)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		c.wg.Wait()
	})
	return c
}

func (c *cutter) uri() string {
	return "mongodb://" + c.listener.Addr().String() + "/?directConnection=true&serverMonitoringMode=poll&retryWrites=false&retryReads=false"
}

func (c *cutter) accept() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		backend, err := net.Dial("unix", c.socket)
		if err != nil {
			client.Close()
			continue
		}
		c.wg.Go(func() {
			defer client.Close()
			defer backend.Close()
			c.forward(client, backend)
		})
		c.wg.Go(func() {
			defer client.Close()
			defer backend.Close()
			io.Copy(client, backend) //nolint:errcheck // the other direction ends it
		})
	}
}

// forward passes requests on, one at a time, until it is time to cut.
func (c *cutter) forward(client, backend net.Conn) {
	for {
		head := make([]byte, 16)
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		body := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16|int(head[3])<<24-16)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		cut := c.left.Add(-1) == 0
		if cut {
			client.Close() // its answer finds nobody
		}
		if !cut || c.late.Load() {
			if _, err := backend.Write(append(head, body...)); err != nil {
				return
			}
		}
		if cut {
			// Let the server come to its end with what it has got.
			if half, ok := backend.(*net.UnixConn); ok {
				half.CloseWrite() //nolint:errcheck // it may be gone
			}
			io.Copy(io.Discard, backend) //nolint:errcheck // until the server closes
			return
		}
	}
}

// queue is what a catalog does with changes: each JournalID once, reverts out.
type queue struct {
	seen    map[int64]bool
	entries []workspace.Change
}

func (q *queue) append(list []workspace.Change) []int64 {
	var ids []int64
	for _, c := range list {
		ids = append(ids, c.JournalID)
		if !q.seen[c.JournalID] {
			q.seen[c.JournalID] = true
			q.entries = append(q.entries, c)
		}
	}
	return ids
}

// TestEachChangeIsNotedOnceWhereverARecordIsCut cuts the node off from its
// server at each request in turn, before and after it is carried out.
func TestEachChangeIsNotedOnceWhereverARecordIsCut(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, true)
	c := newCutter(t, server.Socket())
	q := &queue{seen: map[int64]bool{}}
	names := []string{}
	for cut := int64(1); cut <= 10; cut++ {
		for _, late := range []bool{false, true} {
			name := fmt.Sprintf("c%d_%t", cut, late)
			names = append(names, name)
			query(t, e, target, fmt.Sprintf(`{"create": %q}`, name))
			query(t, e, target, fmt.Sprintf(`{"createIndexes": %q, "indexes": [{"key": {"x": 1}, "name": "x_1"}]}`, name))
			func() {
				other := engineAt(t, c.uri())
				c.late.Store(late)
				c.left.Store(cut)
				defer c.left.Store(-1)
				// Any of it may fail; that is the point.
				if list, err := other.Changes(t.Context(), target); err == nil {
					_ = other.Forget(t.Context(), target, q.append(list))
				}
			}()
		}
	}
	list, err := e.Changes(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	q.append(list)
	if len(q.entries) != 2*len(names) {
		t.Errorf("got %d changes, want %d", len(q.entries), 2*len(names))
	}
	wantReplay(t, e, target, q.entries)
}

// TestTwoNodesNoteEachChangeOnce has two engines record while clients change
// the schema.
func TestTwoNodesNoteEachChangeOnce(t *testing.T) {
	first := newEngine(t)
	target := newWorkspace(t, first, true)
	nodes := []*Engine{first, newEngine(t)}
	c := newClient(t)
	var (
		mu sync.Mutex
		q  = &queue{seen: map[int64]bool{}}
	)
	record := func(e *Engine) {
		list, err := e.Changes(t.Context(), target)
		if err != nil {
			t.Errorf("changes: %v", err)
			return
		}
		mu.Lock()
		ids := q.append(list)
		mu.Unlock()
		if err := e.Forget(t.Context(), target, ids); err != nil {
			t.Errorf("forget: %v", err)
		}
	}
	const each = 12
	var clients sync.WaitGroup
	for i, node := range nodes {
		for j := range 2 {
			clients.Go(func() {
				for k := range each {
					name := fmt.Sprintf("c_%d_%d_%d", i, j, k)
					if err := relayed(t, node, c, target, fmt.Sprintf(`{"create": %q}`, name)); err != nil {
						t.Errorf("create: %v", err)
					}
					record(node)
				}
			})
		}
	}
	clients.Wait()
	record(first)
	if len(q.entries) != 4*each {
		t.Errorf("got %d changes, want %d", len(q.entries), 4*each)
	}
	slices.SortFunc(q.entries, func(a, b workspace.Change) int { return int(a.JournalID - b.JournalID) })
	wantReplay(t, first, target, q.entries)
}

// randomDDL makes commands about a few names, so that they meet.
type randomDDL struct{ *rand.Rand }

func (r randomDDL) name() string { return fmt.Sprintf("c%d", r.IntN(6)) }

func (r randomDDL) command() string {
	name, n := r.name(), r.IntN(4)
	choices := []string{
		fmt.Sprintf(`{"create": %q}`, name),
		fmt.Sprintf(`{"create": %q, "capped": true, "size": %d}`, name, 4096*(n+1)),
		fmt.Sprintf(`{"drop": %q}`, name),
		fmt.Sprintf(`{"renameCollection": "DB.%s", "to": "DB.%s"}`, name, r.name()),
		fmt.Sprintf(`{"insert": %q, "documents": [{"x": %d}]}`, name, n),
		fmt.Sprintf(`{"update": %q, "updates": [{"q": {"x": %d}, "u": {"$set": {"y": 1}}, "upsert": true}]}`, name, n),
		fmt.Sprintf(`{"createIndexes": %q, "indexes": [{"key": {"k%d": 1}, "name": "i%d"}]}`, name, r.IntN(4), n),
		fmt.Sprintf(`{"createIndexes": %q, "indexes": [{"key": {"k%d": 1}, "name": "i%d"}, {"key": {"z": -1}, "name": "z"}]}`, name, r.IntN(4), n),
		fmt.Sprintf(`{"dropIndexes": %q, "index": "i%d"}`, name, n),
		fmt.Sprintf(`{"dropIndexes": %q, "index": "*"}`, name),
		`{"dropDatabase": 1}`,
	}
	return choices[r.IntN(len(choices))]
}

// TestReplayOfRandomCommandsRebuildsTheSchema takes its seed from JOURNAL_SEED,
// to run a failure again. Four clients work at once, with a look every so often.
func TestReplayOfRandomCommandsRebuildsTheSchema(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("JOURNAL_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("JOURNAL_SEED=%d", seed)
	e := newEngine(t)
	target := newWorkspace(t, e, true)
	c := newClient(t)
	var (
		clients sync.WaitGroup
		others  sync.RWMutex
	)
	defer clients.Wait()
	for i := range uint64(4) {
		clients.Go(func() { playRandom(t, e, c, target, randomDDL{rand.New(rand.NewPCG(seed, i))}, &others) })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		clients.Wait()
	}()
	var all []workspace.Change
	for working := true; working; {
		select {
		case <-done:
			working = false
		default:
		}
		others.RLock()
		list := taken(t, e, target)
		others.RUnlock()
		all = append(all, list...)
	}
	wantReplay(t, e, target, all)
}

// playRandom plays a client. others is held for reading by whoever uses the
// database, since FerretDB dies (SIGBUS in SQLite's index of its log) where one is
// dropped in use and made anew.
func playRandom(t *testing.T, e *Engine, c *mongo.Client, target workspace.Target, r randomDDL, others *sync.RWMutex) {
	send := func(text string) {
		if strings.Contains(text, "dropDatabase") {
			others.Lock()
			defer others.Unlock()
		} else {
			others.RLock()
			defer others.RUnlock()
		}
		// Many fail, as they do for any client.
		_ = relayed(t, e, c, target, text)
	}
	for range 40 {
		send(r.command())
		if r.IntN(3) > 0 {
			continue
		}
		others.RLock()
		_, err := e.Changes(context.WithoutCancel(t.Context()), target)
		others.RUnlock()
		if err != nil {
			t.Errorf("changes: %v", err)
		}
	}
}
