package mongodb

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// modelServer is a server that has what FerretDB lacks, and an Engine for it.
func modelServer(t *testing.T) (*userServer, *Engine) {
	t.Helper()
	s := newUserServer(t)
	return s, engineAt(t, s.uri())
}

// modelEngine is modelServer's Engine, and a client past it.
func modelEngine(t *testing.T) (*Engine, *mongo.Client) {
	t.Helper()
	s, e := modelServer(t)
	c, err := mongo.Connect(options.Client().ApplyURI(s.uri()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { disconnect(t.Context(), c) })
	return e, c
}

// TestWhatFerretDBLacksIsNotedInTheClientsWords is
// TestEachChangeIsNotedInTheClientsWords on a server that has it.
func TestWhatFerretDBLacksIsNotedInTheClientsWords(t *testing.T) {
	e, c := modelEngine(t)
	target := newWorkspace(t, e, true)
	var all []workspace.Change
	for _, test := range []struct {
		run  string
		want []string
	}{
		{`{"create": "users", "validator": {"age": {"$gte": 0}}}`, []string{`{"create":"users","validator":{"age":{"$gte":0}}}`}},
		{`{"collMod": "users", "validator": {"age": {"$gte": 1}}, "validationLevel": "moderate"}`, []string{`{"collMod":"users","validator":{"age":{"$gte":1}},"validationLevel":"moderate"}`}},
		{`{"collMod": "users", "validator": {"age": {"$gte": 1}}, "validationLevel": "moderate"}`, nil},
		{`{"collMod": "users", "validator": {}}`, []string{`{"collMod":"users","validator":{}}`}},
		{`{"create": "later"}`, []string{`{"create":"later"}`}},
		{`{"collMod": "later", "validator": {"a": 1}}`, []string{`{"collMod":"later","validator":{"a":1}}`}},
		{`{"create": "named", "collation": {"locale": "de"}}`, []string{`{"create":"named","collation":{"locale":"de"}}`}},
		{`{"create": "seen", "viewOn": "users", "pipeline": [{"$match": {"a": 1}}]}`, []string{`{"create":"seen","viewOn":"users","pipeline":[{"$match":{"a":1}}]}`}},
		{`{"collMod": "seen", "viewOn": "named", "pipeline": []}`, []string{`{"collMod":"seen","viewOn":"named","pipeline":[]}`}},
		{`{"create": "heat", "timeseries": {"timeField": "at"}, "expireAfterSeconds": 60}`, []string{`{"create":"heat","timeseries":{"timeField":"at"},"expireAfterSeconds":60}`}},
		{`{"collMod": "heat", "expireAfterSeconds": "off"}`, []string{`{"collMod":"heat","expireAfterSeconds":"off"}`}},
		{`{"collMod": "heat", "timeseries": {"granularity": "hours"}}`, []string{`{"collMod":"heat","timeseries":{"granularity":"hours"}}`}},
		{`{"createIndexes": "users", "indexes": [{"key": {"at": 1}, "name": "at_1", "expireAfterSeconds": 5, "partialFilterExpression": {"x": {"$gt": 1}}}]}`,
			[]string{`{"createIndexes":"users","indexes":[{"key":{"at":1},"name":"at_1","expireAfterSeconds":5,"partialFilterExpression":{"x":{"$gt":1}}}]}`}},
		{`{"collMod": "users", "index": {"name": "at_1", "expireAfterSeconds": 7}}`, []string{`{"collMod":"users","index":{"name":"at_1","expireAfterSeconds":7}}`}},
		{`{"collMod": "users", "index": {"name": "at_1", "hidden": true}}`, []string{`{"collMod":"users","index":{"name":"at_1","hidden":true}}`}},
		{`{"aggregate": "users", "pipeline": [{"$out": "report"}], "cursor": {}}`, []string{`{"create":"report"}`}},
		{`{"createIndexes": "report", "indexes": [{"key": {"n": 1}, "name": "n_1"}]}`, []string{`{"createIndexes":"report","indexes":[{"key":{"n":1},"name":"n_1"}]}`}},
		{`{"aggregate": "users", "pipeline": [{"$out": "report"}], "cursor": {}}`, nil},
		{`{"aggregate": "users", "pipeline": [{"$merge": "merged"}], "cursor": {}}`, []string{`{"create":"merged"}`}},
		{`{"aggregate": "users", "pipeline": [{"$merge": "merged"}], "cursor": {}}`, nil},
		{`{"renameCollection": "DB.merged", "to": "DB.report", "dropTarget": true}`, []string{`{"renameCollection":"DB.merged","to":"DB.report","dropTarget":true}`}},
		{`{"drop": "seen"}`, []string{`{"drop":"seen"}`}},
	} {
		if err := relayed(t, e, c, target, test.run); err != nil {
			t.Fatalf("%s: %v", test.run, err)
		}
		got := taken(t, e, target)
		t.Run(test.run, func(t *testing.T) { wantTold(t, target, got, test.want...) })
		all = append(all, got...)
	}
	wantReplay(t, e, target, all)
}

// TestReplayOfSessionsAtOnceRebuildsWhatFerretDBLacks takes its seed from
// MODEL_SEED. Each session sends as the relay does: what is for the schema alone
// among all, and recorded before the next.
func TestReplayOfSessionsAtOnceRebuildsWhatFerretDBLacks(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("MODEL_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("MODEL_SEED=%d", seed)
	e, c := modelEngine(t)
	target := newWorkspace(t, e, true)
	var (
		sessions sync.WaitGroup
		changing sync.Mutex
		mu       sync.Mutex
		all      []workspace.Change
		done     int
	)
	record := func() {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, taken(t, e, target)...)
	}
	for i := range uint64(4) {
		r := modelRandom{rand.New(rand.NewPCG(seed, i))}
		sessions.Go(func() {
			for range 50 {
				text, alone := r.command()
				if alone {
					changing.Lock()
				}
				err := relayed(t, e, c, target, text)
				record()
				if alone {
					changing.Unlock()
				}
				if err == nil {
					mu.Lock()
					done++
					mu.Unlock()
				}
			}
		})
	}
	sessions.Wait()
	t.Logf("%d commands done, %d changes", done, len(all))
	if len(all) < 20 {
		t.Errorf("%d changes: the test tries too little", len(all))
	}
	wantReplay(t, e, target, all)
}

// modelRandom makes commands about a few names.
type modelRandom struct{ *rand.Rand }

// command is one, and whether it is for the schema.
func (r modelRandom) command() (text string, alone bool) {
	name := func() string { return fmt.Sprintf("c%d", r.IntN(4)) }
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	n := strconv.Itoa(r.IntN(3))
	if r.IntN(4) == 0 {
		text := pick(`{"insert": "NAME", "documents": [{}]}`, `{"aggregate": "NAME", "pipeline": [{"$out": "OTHER"}], "cursor": {}}`,
			`{"aggregate": "NAME", "pipeline": [{"$merge": "OTHER"}], "cursor": {}}`)
		return strings.NewReplacer("NAME", name(), "OTHER", name()).Replace(text), false
	}
	text = pick(`{"create": "NAME"}`, `{"create": "NAME", "validator": {"a": N}}`, `{"create": "NAME", "collation": {"locale": "de"}}`,
		`{"create": "NAME", "capped": true, "size": 4096}`, `{"create": "v1", "viewOn": "NAME", "pipeline": [{"$match": {"a": N}}]}`, `{"collMod": "v1", "viewOn": "NAME", "pipeline": []}`,
		`{"create": "t1", "timeseries": {"timeField": "at"}}`, `{"collMod": "t1", "expireAfterSeconds": N}`, `{"drop": "v1"}`, `{"drop": "t1"}`,
		`{"collMod": "NAME", "validator": {"a": N}}`, `{"collMod": "NAME", "validator": {}}`, `{"collMod": "NAME", "validationAction": "warn"}`,
		`{"collMod": "NAME", "changeStreamPreAndPostImages": {"enabled": true}}`, `{"collMod": "NAME", "index": {"name": "iN", "hidden": true}}`,
		`{"collMod": "NAME", "index": {"name": "iN", "hidden": false}}`, `{"createIndexes": "NAME", "indexes": [{"key": {"kN": 1}, "name": "iN", "sparse": true}]}`,
		`{"createIndexes": "NAME", "indexes": [{"key": {"kN": 1}, "name": "iN"}, {"key": {"z": -1}, "name": "z", "partialFilterExpression": {"x": {"$gt": N}}}]}`,
		`{"dropIndexes": "NAME", "index": "iN"}`, `{"dropIndexes": "NAME", "index": "*"}`, `{"drop": "NAME"}`,
		`{"renameCollection": "DB.NAME", "to": "DB.OTHER"}`, `{"renameCollection": "DB.NAME", "to": "DB.OTHER", "dropTarget": true}`)
	return strings.NewReplacer("NAME", name(), "OTHER", name(), "kN", "k"+n, "iN", "i"+n, " N", " "+n).Replace(text), true
}
