package test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

const (
	mongoKills      = 100
	mongoKillsShort = 10
)

// The program is killed, its MongoDB server with it, at random moments of a
// stream of schema changes from several sessions, as for PostgreSQL.
func TestKilledAtAnyMomentTheQueueIsWhatMongoDBHolds(t *testing.T) {
	c := &mongoCrashTest{in: newInstallation(t, "mongodb"), seed: testSeed(t)}
	c.random = rand.New(rand.NewPCG(c.seed, 2))
	rounds := mongoKills
	if testing.Short() {
		rounds = mongoKillsShort
	}
	for c.round < rounds {
		c.inOneWorkspace(t, min(rounds, c.round+killsPerWorkspace))
	}
	t.Logf("%d kills, %d entries, %d commands acknowledged", rounds, c.entries, c.told)
	if c.told < rounds {
		t.Errorf("%d commands acknowledged in %d rounds: the test tries too little", c.told, rounds)
	}
}

// mongoCrashTest is what goes on from one kill to the next.
type mongoCrashTest struct {
	in      *installation
	seed    uint64
	random  *rand.Rand
	round   int // kills so far
	entries int // in the queues of all workspaces
	told    int // acknowledged commands
}

// inOneWorkspace kills the program until it has been killed that often.
func (c *mongoCrashTest) inOneWorkspace(t *testing.T, until int) {
	t.Helper()
	id := fmt.Sprintf("crash-%d", c.round)
	d := database{installation: c.in, id: id, url: c.in.mongoAddress(t, id, "tenant", nil)}
	var entries []entry
	for ; c.round < until; c.round++ {
		told := c.killed(t, d, entries)
		entries = mustAgreeMongo(t, d, entries, told)
		if t.Failed() {
			t.Fatalf("after kill %d", c.round+1)
		}
	}
	c.entries += len(entries)
	c.in.must(t, http.StatusOK, "DELETE", "/workspaces/"+id, nil)
}

// killed is one round: clients that change the schema, a kill, a start. It gives
// what each client was told, in its order.
func (c *mongoCrashTest) killed(t *testing.T, d database, entries []entry) [][]string {
	t.Helper()
	units := make(chan struct{}, 1<<12)
	ctx, dead := context.WithCancel(t.Context())
	defer dead()
	told, unexpected := make([][]string, 5), make([]error, 5)
	own := slices.Sorted(maps.Keys(collectionsOf(t, entries)))
	var running sync.WaitGroup
	for i := range told {
		w := &mongoWriter{name: fmt.Sprintf("r%d_w%d", c.round, i), random: rand.New(rand.NewPCG(c.seed, uint64(c.round*100+i)))}
		for j := i; j < len(own); j += len(told) {
			w.own = append(w.own, own[j])
		}
		send := d.sendToAPI
		if i > 0 {
			db := mongoClient(t, d.url)
			send = func(ctx context.Context, command bson.D) error { return db.RunCommand(ctx, command).Err() }
		}
		running.Go(func() {
			for {
				command, says := w.command()
				if err := send(ctx, command); err != nil {
					unexpected[i] = refusalOf(err)
					return
				}
				told[i] = append(told[i], says)
				units <- struct{}{}
			}
		})
	}
	await(units, c.random.IntN(mostUnits), mostPatience)
	await(nil, 1, time.Duration(c.random.Int64N(int64(longestMoment))))
	c.in.kill()
	dead()
	running.Wait()
	if err := c.in.start(); err != nil {
		t.Fatalf("start after kill %d: %v", c.round+1, err)
	}
	if err := errors.Join(unexpected...); err != nil {
		t.Fatalf("kill %d: %v", c.round+1, err)
	}
	for _, says := range told {
		c.told += len(says)
	}
	return told
}

// refusalOf is err where a server that is alive gave it. The driver's own errors,
// such as that of a pool that lost its server, have no number.
func refusalOf(err error) error {
	failed, ok := errors.AsType[mongo.CommandError](err)
	if !ok || failed.HasErrorLabel("NetworkError") || failed.Code == 0 || failed.Code == 6 || failed.Code == 91 || failed.Code == 11600 {
		return nil
	}
	return err
}

// sendToAPI runs a command document as a query.
func (d database) sendToAPI(_ context.Context, command bson.D) error {
	text, err := bson.MarshalExtJSON(command, true, false)
	if err != nil {
		return err
	}
	status, err := d.installation.post("/workspaces/"+d.id+"/queries", map[string]string{"query": string(text)})
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	return err
}

// mongoWriter makes commands, no two of which do the same.
type mongoWriter struct {
	name   string // begins the names of its collections
	random *rand.Rand
	own    []string // collections of earlier rounds that it may change
	number int
}

// command makes a collection, said or not, or changes or drops one of its own;
// says is its operation, its collection and its index.
func (w *mongoWriter) command() (command bson.D, says string) {
	w.number++
	fresh := fmt.Sprintf("%s_c%d", w.name, w.number)
	if len(w.own) == 0 || w.random.IntN(2) == 0 {
		if w.random.IntN(2) == 0 {
			return bson.D{{Key: "create", Value: fresh}}, "create " + fresh
		}
		return bson.D{{Key: "insert", Value: fresh}, {Key: "documents", Value: bson.A{bson.D{{Key: "x", Value: 1}}}}}, "create " + fresh
	}
	i := w.random.IntN(len(w.own))
	name := w.own[i]
	if w.random.IntN(3) > 0 {
		return bson.D{{Key: "createIndexes", Value: name}, {Key: "indexes", Value: bson.A{
			bson.D{{Key: "key", Value: bson.D{{Key: fresh, Value: 1}}}, {Key: "name", Value: fresh}}}}}, "createIndexes " + name + " " + fresh
	}
	w.own = slices.Delete(w.own, i, i+1)
	return bson.D{{Key: "drop", Value: name}}, "drop " + name
}

// wordsOf are what a statement of the queue does: operation, collection, index.
func wordsOf(t *testing.T, e entry) []string {
	t.Helper()
	var command struct {
		Create, Drop, CreateIndexes string
		Indexes                     []struct{ Name string }
	}
	if err := bson.UnmarshalExtJSON([]byte(strings.Replace(e.Command, "createIndexes", "createindexes", 1)), true, &command); err != nil {
		t.Fatalf("entry %d: %v: %s", e.ID, err, e.DDL)
	}
	switch {
	case command.Create != "":
		return []string{"create", command.Create}
	case command.Drop != "":
		return []string{"drop", command.Drop}
	case len(command.Indexes) == 1:
		return []string{"createIndexes", command.CreateIndexes, command.Indexes[0].Name}
	}
	t.Fatalf("entry %d was never sent: %s", e.ID, e.DDL)
	return nil
}

// collectionsOf runs the queue on an empty model of collections with their
// indexes; an entry that does not fit what came before it was recorded twice, or
// one before it was lost.
func collectionsOf(t *testing.T, entries []entry) map[string][]string {
	t.Helper()
	held := map[string][]string{}
	for _, e := range entries {
		words := wordsOf(t, e)
		indexes, is := held[words[1]]
		if is == (words[0] == "create") || len(words) > 2 && slices.Contains(indexes, words[2]) {
			t.Errorf("entry %d does not fit what came before: %s", e.ID, e.DDL)
		}
		switch words[0] {
		case "create":
			held[words[1]] = []string{"_id_"}
		case "drop":
			delete(held, words[1])
		default:
			held[words[1]] = append(indexes, words[2])
		}
	}
	return held
}

// mustAgreeMongo reads the queue after a kill and compares it with the database
// and with what the clients were told.
func mustAgreeMongo(t *testing.T, d database, before []entry, told [][]string) []entry {
	t.Helper()
	now := d.queue(t)
	if len(now) < len(before) || !slices.EqualFunc(before, now[:len(before)], sameEntry) {
		t.Fatalf("entries that were in the queue before have changed")
	}
	queued := collectionsOf(t, now)
	for _, indexes := range queued {
		slices.Sort(indexes)
	}
	if held := d.collections(t); !maps.EqualFunc(held, queued, slices.Equal) {
		t.Errorf("the queue differs from the database:\n%s", differences(queued, held))
	}
	added := map[string]int{}
	for i, e := range now[len(before):] {
		says := strings.Join(wordsOf(t, e), " ")
		if _, twice := added[says]; twice {
			t.Errorf("recorded twice: %s", e.DDL)
		}
		added[says] = i
	}
	for i, says := range told {
		mustHaveRecorded(t, fmt.Sprintf("client %d", i), says, added)
	}
	return now
}

// collections are those that the database holds, with the names of their
// indexes.
func (d database) collections(t *testing.T) map[string][]string {
	t.Helper()
	ctx := mongoContext(t)
	db := mongoClient(t, d.url)
	names, err := db.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	held := map[string][]string{}
	for _, name := range names {
		specs, err := db.Collection(name).Indexes().ListSpecifications(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range specs {
			held[name] = append(held[name], s.Name)
		}
		slices.Sort(held[name])
	}
	return held
}
