package test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

func TestKilledAtAnyMomentTheQueueIsWhatMongoDBHolds(t *testing.T) {
	kills := 100
	if testing.Short() {
		kills = 10
	}
	c := &crashTest{in: newInstallation(t, "mongodb"), clients: 5}
	c.begin = func(t *testing.T, id string) crashing {
		return crashingMongoDB{database{installation: c.in, id: id, url: c.in.mongoAddress(t, id, "tenant", nil)}}
	}
	c.run(t, kills)
}

// crashingMongoDB is a workspace of MongoDB whose program is killed, its server
// with it.
type crashingMongoDB struct{ database }

// clients are four of a driver and one that uses the admin API.
func (d crashingMongoDB) clients(t *testing.T, alive context.Context, writers []*crashWriter) {
	t.Helper()
	for i, base := range writers {
		w := &mongoWriter{base}
		send := d.sendToAPI
		if i > 0 {
			db := mongoClient(t, d.url)
			send = func(command bson.D) error { return db.RunCommand(alive, command).Err() }
		}
		w.kind, w.refused = "a client", func(err error) bool { return refusalOf(err) != nil }
		w.loop = func() error { return w.commands(send) }
	}
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
func (d crashingMongoDB) sendToAPI(command bson.D) error {
	text, err := bson.MarshalExtJSON(command, true, false)
	if err != nil {
		return err
	}
	return d.query(string(text))
}

// mongoWriter is a client of MongoDB.
type mongoWriter struct{ *crashWriter }

// commands sends commands, no two of which do the same.
func (w *mongoWriter) commands(send func(bson.D) error) error {
	for {
		command, says := w.command()
		if err := send(command); err != nil {
			return err
		}
		w.told(says)
	}
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

func (d crashingMongoDB) words(t *testing.T, e entry) string {
	t.Helper()
	return strings.Join(wordsOf(t, e), " ")
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

func (d crashingMongoDB) made(t *testing.T, entries []entry) map[string][]string {
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
	for _, indexes := range held {
		slices.Sort(indexes)
	}
	return held
}

func (d crashingMongoDB) held(t *testing.T) map[string][]string {
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

// mustReplay has nothing to do: the random sessions' test replays such queues.
func (d crashingMongoDB) mustReplay(*testing.T, []entry) {}
