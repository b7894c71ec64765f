package test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// Queue and database are read after each kill, so they are kept small.
	killsPerWorkspace = 25
	// A kill comes a moment after the clients were told of some units, so that
	// each round gets something done on any machine.
	mostUnits     = 8
	longestMoment = 20 * time.Millisecond
	mostPatience  = 10 * time.Second
)

// crashTest kills the program at random moments of a stream of schema changes
// from several sessions, and starts it again on the same folder. Each time the
// queue is what the database holds: nothing lost, nothing twice, and whatever a
// client was told is there.
type crashTest struct {
	in      *installation
	clients int                                    // at once
	begin   func(t *testing.T, id string) crashing // makes a workspace

	seed    uint64
	random  *rand.Rand
	round   int            // kills so far
	entries int            // in the queues of all workspaces
	told    map[string]int // acknowledged statements by kind of client
}

// crashing is a workspace of one kind of database whose program is killed.
type crashing interface {
	// clients says what each writer is and how it changes the schema, as long as
	// alive is, which ends with the program.
	clients(t *testing.T, alive context.Context, writers []*crashWriter)
	// queue is the workspace's pending DDL, oldest first.
	queue(t testing.TB) []entry
	// words are those in which a client is told of what e records.
	words(t *testing.T, e entry) string
	// made runs the queue on an empty model of tables with their columns, or of
	// collections with their indexes; an entry that does not fit what came before
	// it was recorded twice, or one before it was lost.
	made(t *testing.T, entries []entry) map[string][]string
	// held is the same of the database.
	held(t *testing.T) map[string][]string
	// mustReplay replays what the queue holds in the end.
	mustReplay(t *testing.T, entries []entry)
}

// run kills the program that many times.
func (c *crashTest) run(t *testing.T, kills int) {
	t.Helper()
	c.seed, c.told = testSeed(t), map[string]int{}
	c.random = rand.New(rand.NewPCG(c.seed, 0))
	for c.round < kills {
		c.inOneWorkspace(t, min(kills, c.round+killsPerWorkspace))
	}
	t.Logf("%d kills, %d entries, acknowledged to %v", kills, c.entries, c.told)
	all := 0
	for kind, n := range c.told {
		all += n
		if n < kills/10 {
			t.Errorf("%d statements acknowledged to %s in %d rounds: the test tries too little", n, kind, kills)
		}
	}
	if all < kills {
		t.Errorf("%d statements acknowledged in %d rounds: the test tries too little", all, kills)
	}
}

// inOneWorkspace kills the program until it has been killed that often, and
// replays what the workspace's queue holds then.
func (c *crashTest) inOneWorkspace(t *testing.T, until int) {
	t.Helper()
	id := fmt.Sprintf("crash-%d", c.round)
	d := c.begin(t, id)
	h := history{}
	for ; c.round < until; c.round++ {
		writers := c.killed(t, d, h)
		h = mustAgree(t, d, h, writers)
		if t.Failed() {
			t.Fatalf("after kill %d", c.round+1)
		}
	}
	c.entries += len(h.entries)
	d.mustReplay(t, h.entries)
	c.in.must(t, http.StatusOK, "DELETE", "/workspaces/"+id, nil)
}

// killed is one round: clients that change the schema, a kill, a start.
func (c *crashTest) killed(t *testing.T, d crashing, h history) []*crashWriter {
	t.Helper()
	alive, dead := context.WithCancel(t.Context())
	defer dead()
	units := make(chan struct{}, 1<<12)
	writers := c.writers(h, units)
	d.clients(t, alive, writers)
	var running sync.WaitGroup
	for _, w := range writers {
		running.Go(w.run)
	}
	await(units, c.random.IntN(mostUnits), mostPatience)
	await(nil, 1, time.Duration(c.random.Int64N(int64(longestMoment))))
	c.in.kill()
	dead()
	running.Wait()
	if err := c.in.start(); err != nil {
		t.Fatalf("start after kill %d: %v", c.round+1, err)
	}
	for _, w := range writers {
		if w.unexpected != nil {
			t.Fatalf("kill %d: %v", c.round+1, w.unexpected)
		}
		c.told[w.kind] += len(w.acknowledged)
	}
	return writers
}

// writers are the clients of one round, among which the tables of earlier rounds
// are divided.
func (c *crashTest) writers(h history, units chan<- struct{}) []*crashWriter {
	writers := make([]*crashWriter, c.clients)
	for i := range writers {
		writers[i] = &crashWriter{
			name:   fmt.Sprintf("r%d_w%d", c.round, i),
			random: rand.New(rand.NewPCG(c.seed, uint64(c.round*100+i+1))),
			units:  units,
		}
	}
	for i, name := range slices.Sorted(maps.Keys(h.tables)) {
		w := writers[i%len(writers)]
		w.own = append(w.own, name)
	}
	return writers
}

// await receives n times, or until the time is over.
func await(from <-chan struct{}, n int, most time.Duration) {
	over := time.After(most)
	for range n {
		select {
		case <-from:
		case <-over:
			return
		}
	}
}

// history is the queue, and the tables with their columns that it makes.
type history struct {
	entries []entry
	tables  map[string][]string
}

// mustAgree reads the queue after a kill and compares it with the database and
// with what the writers were told.
func mustAgree(t *testing.T, d crashing, before history, writers []*crashWriter) history {
	t.Helper()
	now := history{entries: d.queue(t)}
	if len(now.entries) < len(before.entries) || !slices.EqualFunc(before.entries, now.entries[:len(before.entries)], sameEntry) {
		t.Fatalf("entries that were in the queue before have changed")
	}
	now.tables = d.made(t, now.entries)
	if held := d.held(t); !maps.EqualFunc(held, now.tables, slices.Equal) {
		t.Errorf("the queue differs from the database:\n%s", differences(now.tables, held))
	}
	added := map[string]int{}
	for i, e := range now.entries[len(before.entries):] {
		words := d.words(t, e)
		if _, twice := added[words]; twice {
			t.Errorf("recorded twice: %s", e.DDL)
		}
		added[words] = i
	}
	for _, w := range writers {
		w.mustFind(t, added)
	}
	return now
}

func sameEntry(a, b entry) bool {
	return a.ID == b.ID && a.Version == b.Version && a.DDL == b.DDL && maps.Equal(a.Session, b.Session)
}

// differences names the tables that two sides disagree about.
func differences(queued, held map[string][]string) string {
	var lines []string
	for name, columns := range queued {
		if !slices.Equal(columns, held[name]) {
			lines = append(lines, fmt.Sprintf("%s: the queue has %v, the database %v", name, columns, held[name]))
		}
	}
	for name, columns := range held {
		if queued[name] == nil {
			lines = append(lines, fmt.Sprintf("%s: the queue has none, the database %v", name, columns))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var (
	createTable = regexp.MustCompile(`^CREATE TABLE (\w+) \(id int\)$`)
	addColumn   = regexp.MustCompile(`^ALTER TABLE (\w+) ADD COLUMN (\w+) int$`)
	dropTable   = regexp.MustCompile(`^DROP TABLE (\w+)$`)
)

// tablesOf is made for the statements of PostgreSQL and MySQL.
func tablesOf(t *testing.T, entries []entry) map[string][]string {
	t.Helper()
	tables := map[string][]string{}
	for _, e := range entries {
		if m := createTable.FindStringSubmatch(e.DDL); m != nil {
			if tables[m[1]] != nil {
				t.Errorf("entry %d makes a table that is there: %s", e.ID, e.DDL)
			}
			tables[m[1]] = []string{"id"}
		} else if m := addColumn.FindStringSubmatch(e.DDL); m != nil {
			if tables[m[1]] == nil || slices.Contains(tables[m[1]], m[2]) {
				t.Errorf("entry %d does not fit what came before: %s", e.ID, e.DDL)
			}
			tables[m[1]] = append(tables[m[1]], m[2])
		} else if m := dropTable.FindStringSubmatch(e.DDL); m != nil {
			if tables[m[1]] == nil {
				t.Errorf("entry %d drops what is not there: %s", e.ID, e.DDL)
			}
			delete(tables, m[1])
		} else {
			t.Errorf("entry %d was never sent: %s", e.ID, e.DDL)
		}
	}
	return tables
}
