package test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/tenantsdb/tenantsdb/ddltrack"
)

const (
	mongoSessions = 5
	mongoCommands = 60 // of each session
)

// Sessions at once make, rename, index and drop the same few collections, in so
// many words or by writing to them, with failures; the queue, run again on an
// empty workspace, makes what they left.
func TestReplayOfTheQueueRebuildsWhatRandomMongoDBSessionsDid(t *testing.T) {
	seed := testSeed(t)
	source := database{installation: shared, id: "mongo-random", url: shared.mongoAddress(t, "mongo-random", "tenant", nil)}
	ctx := mongoContext(t)
	var sessions sync.WaitGroup
	done := make([]int, mongoSessions)
	var lost atomic.Int64
	for i := range done {
		random := mongoRandom{rand.New(rand.NewPCG(seed, uint64(i)))}
		db := mongoClient(t, source.url)
		sessions.Go(func() {
			for range mongoCommands {
				err := db.RunCommand(ctx, random.command(db.Name())).Err()
				switch {
				case err == nil:
					done[i]++
				case mongo.IsNetworkError(err) || isHostUnreachable(err):
					// FerretDB fails at some commands that meet and ends the
					// connection; what it did is to be in the queue all the same.
					lost.Add(1)
				case refusalOf(err) == nil:
					t.Errorf("session %d: %v", i, err)
					return
				}
			}
		})
	}
	sessions.Wait()
	queue := source.queue(t)
	t.Logf("%v commands done, %d lost, %d entries", done, lost.Load(), len(queue))
	if lost.Load() > mongoSessions {
		t.Errorf("%d commands lost their connection", lost.Load())
	}
	if len(queue) < mongoCommands/2 {
		t.Errorf("%d entries: the test tries too little", len(queue))
	}
	replayed := mongoClient(t, shared.mongoAddress(t, "mongo-random-r", "control", nil))
	replayMongo(t, ctx, replayed, queue)
	if got, want := mongoSchema(t, ctx, replayed), mongoSchema(t, ctx, mongoClient(t, source.url)); got != want {
		t.Errorf("a replay of the queue differs from the workspace:\n%s", firstDifference(got, want))
	}
}

// replayMongo runs a deploy queue on another database.
func replayMongo(t *testing.T, ctx context.Context, replayed *mongo.Database, queue []entry) {
	t.Helper()
	for _, e := range queue {
		statement, err := ddltrack.MongoStatementFor(e.Command, replayed.Name())
		if err != nil {
			t.Fatalf("entry %d: %v", e.ID, err)
		}
		var command bson.D
		if err := bson.UnmarshalExtJSON([]byte(statement), true, &command); err != nil {
			t.Fatalf("entry %d: %v", e.ID, err)
		}
		if err := replayed.RunCommand(ctx, command).Err(); err != nil {
			t.Fatalf("replay of entry %d, %s: %v", e.ID, e.DDL, err)
		}
	}
}

// isHostUnreachable says whether the proxy's server went in the middle of a command.
func isHostUnreachable(err error) bool {
	failed, ok := errors.AsType[mongo.CommandError](err)
	return ok && failed.Name == "HostUnreachable"
}

// mongoSchema is what listCollections and listIndexes give, but for the
// collections' own numbers.
func mongoSchema(t *testing.T, ctx context.Context, db *mongo.Database) string {
	t.Helper()
	specs, err := db.ListCollectionSpecifications(ctx, bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, s := range specs {
		lines = append(lines, fmt.Sprintf("%s %s read only %t options %v", s.Name, s.Type, s.ReadOnly, s.Options))
		cursor, err := db.Collection(s.Name).Indexes().List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var indexes []bson.Raw
		if err := cursor.All(ctx, &indexes); err != nil {
			t.Fatal(err)
		}
		for _, index := range indexes {
			lines = append(lines, fmt.Sprintf("  %s %v", s.Name, index))
		}
	}
	return strings.Join(lines, "\n")
}

// mongoRandom makes commands about a few names, so that they meet.
type mongoRandom struct{ *rand.Rand }

func (r mongoRandom) name() string { return fmt.Sprintf("c%d", r.IntN(6)) }

func (r mongoRandom) index() bson.D {
	index := bson.D{
		{Key: "key", Value: bson.D{{Key: fmt.Sprintf("k%d", r.IntN(4)), Value: 1 - 2*r.IntN(2)}}},
		{Key: "name", Value: fmt.Sprintf("i%d", r.IntN(4))},
	}
	if r.IntN(3) == 0 {
		index = append(index, bson.E{Key: "unique", Value: true})
	}
	return index
}

func (r mongoRandom) command(database string) bson.D {
	name := r.name()
	switch r.IntN(9) {
	case 0:
		return bson.D{{Key: "create", Value: name}}
	case 1:
		return bson.D{{Key: "create", Value: name}, {Key: "capped", Value: true}, {Key: "size", Value: 4096 * (1 + r.IntN(3))}}
	case 2:
		return bson.D{{Key: "drop", Value: name}}
	case 3:
		return bson.D{{Key: "insert", Value: name}, {Key: "documents", Value: bson.A{bson.D{{Key: "x", Value: r.IntN(4)}}}}}
	case 4:
		return bson.D{{Key: "update", Value: name}, {Key: "updates", Value: bson.A{bson.D{
			{Key: "q", Value: bson.D{{Key: "x", Value: r.IntN(4)}}}, {Key: "u", Value: bson.D{{Key: "$set", Value: bson.D{{Key: "y", Value: 1}}}}}, {Key: "upsert", Value: true}}}}}
	case 5:
		return bson.D{{Key: "findAndModify", Value: name}, {Key: "query", Value: bson.D{{Key: "x", Value: r.IntN(4)}}},
			{Key: "update", Value: bson.D{{Key: "$set", Value: bson.D{{Key: "y", Value: 1}}}}}, {Key: "upsert", Value: true}}
	case 6:
		return bson.D{{Key: "renameCollection", Value: database + "." + name}, {Key: "to", Value: database + "." + r.name()}}
	case 7:
		return bson.D{{Key: "dropIndexes", Value: name}, {Key: "index", Value: fmt.Sprintf("i%d", r.IntN(4))}}
	}
	return bson.D{{Key: "createIndexes", Value: name}, {Key: "indexes", Value: bson.A{r.index(), r.index()}}}
}
