package ddltrack

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// modelServer keeps collections as a server would.
type modelServer struct {
	collections []MongoCollection
	uuids       int
}

func (m *modelServer) at(name string) int {
	return slices.IndexFunc(m.collections, func(c MongoCollection) bool { return c.Name == name })
}

// run carries out a command of CompareMongo; false where a server would refuse.
func (m *modelServer) run(command bson.D) bool {
	name, collection := MongoNameAndTarget(command)
	i := m.at(collection)
	switch name {
	case "create":
		if i >= 0 {
			return false
		}
		m.uuids++
		m.collections = append(m.collections, MongoCollection{Name: collection, Type: mongoCollectionType, UUID: strconv.Itoa(m.uuids), Options: command[1:]})
	case "drop":
		if i < 0 {
			return false
		}
		m.collections = slices.Delete(m.collections, i, i+1)
	case "renameCollection":
		_, to, _ := strings.Cut(textOf(command, "to"), ".")
		if i < 0 || m.at(to) >= 0 {
			return false
		}
		m.collections[i].Name = to
	case "createIndexes":
		for _, spec := range arrayOf(command, "indexes") {
			d, _ := spec.(bson.D)
			if i < 0 {
				return false
			}
			if _, has := m.collections[i].index(textOf(d, "name")); has {
				return false
			}
			m.collections[i].Indexes = append(slices.Clone(m.collections[i].Indexes), d)
		}
	case "dropIndexes":
		for _, index := range namesIn(command) {
			if i < 0 {
				return false
			}
			if _, has := m.collections[i].index(index); !has {
				return false
			}
			m.collections[i].Indexes = slices.DeleteFunc(slices.Clone(m.collections[i].Indexes), func(d bson.D) bool { return textOf(d, "name") == index })
		}
	case "collMod":
		if i < 0 {
			return false
		}
		options := slices.DeleteFunc(slices.Clone(m.collections[i].Options), func(e bson.E) bool { return e.Key == "validator" })
		if v := documentOf(command, "validator"); len(v) > 0 {
			options = append(options, bson.E{Key: "validator", Value: v})
		}
		m.collections[i].Options = options
	}
	return true
}

// shown is the schema by name, without UUIDs.
func (m *modelServer) shown(t *testing.T) string {
	var all []string
	for _, c := range m.collections {
		var indexes []string
		for _, index := range c.Indexes {
			indexes = append(indexes, relaxed(t, index))
		}
		slices.Sort(indexes)
		all = append(all, fmt.Sprint(c.Name, relaxed(t, c.Options), indexes))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// TestRandomMongoSchemasAreReachedByTheirDifference takes its seed from
// MONGO_SEED. The commands of each comparison run on a copy of the old schema,
// and each reverse, run backwards, leads back.
func TestRandomMongoSchemasAreReachedByTheirDifference(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("MONGO_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("MONGO_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	name := func() string { return string(rune('a' + r.IntN(5))) }
	for range 2000 {
		old := &modelServer{}
		step := func(m *modelServer) {
			switch r.IntN(6) {
			case 0, 1:
				m.run(bson.D{{Key: "create", Value: name()}})
			case 2:
				m.run(bson.D{{Key: "renameCollection", Value: "db." + name()}, {Key: "to", Value: "db." + name()}})
			case 3:
				m.run(createIndexesCommand(name(), []bson.D{{{Key: "key", Value: bson.D{{Key: name(), Value: int32(1)}}}, {Key: "name", Value: name()}}}))
			case 4:
				m.run(bson.D{{Key: "collMod", Value: name()}, {Key: "validator", Value: bson.D{{Key: "x", Value: int32(r.IntN(3))}}}})
			default:
				m.run(bson.D{{Key: "drop", Value: name()}})
			}
		}
		for range 8 {
			step(old)
		}
		fresh := &modelServer{collections: slices.Clone(old.collections), uuids: old.uuids}
		for range r.IntN(12) {
			step(fresh)
		}
		copied := &modelServer{collections: slices.Clone(old.collections), uuids: old.uuids}
		changes := CompareMongo("db", old.collections, fresh.collections)
		reversible := true
		for _, c := range changes {
			if !copied.run(c.Command) {
				t.Fatalf("%s is refused; from\n%s\nto\n%s", relaxed(t, c.Command), old.shown(t), fresh.shown(t))
			}
			reversible = reversible && c.Reversible
		}
		if copied.shown(t) != fresh.shown(t) {
			t.Fatalf("got\n%s\nwant\n%s", copied.shown(t), fresh.shown(t))
		}
		if !reversible {
			continue
		}
		for _, c := range slices.Backward(changes) {
			if !copied.run(bsonOf(t, c.Reverse)) {
				t.Fatalf("reverse %s is refused", c.Reverse)
			}
		}
		if copied.shown(t) != old.shown(t) {
			t.Fatalf("reversed to\n%s\nwant\n%s", copied.shown(t), old.shown(t))
		}
	}
}
