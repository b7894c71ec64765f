package mongodb

import (
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// judgedAs is what becomes of a command of the session's database, or of admin,
// for a login that may only read, or for one that may write.
func judgedAs(t *testing.T, reads bool, on string, command bson.D) *failure {
	t.Helper()
	body, err := bson.Marshal(append(command, bson.E{Key: "$db", Value: on}))
	if err != nil {
		t.Fatal(err)
	}
	q := request{message: message{body: body}}
	if err := q.read(); err != nil {
		t.Fatal(err)
	}
	route := workspace.Route{Live: workspace.NewLive(workspace.Workspace{ID: 1, Name: "docs", Type: workspace.MongoDB}), Database: "docs", Key: &workspace.LiveKey{Reads: reads}}
	r := &relay{client: &client{protocol: &Protocol{commands: newCommands()}}, route: route, live: route.Live}
	_, f := r.judge(&q)
	return f
}

// Of all commands that pass, a reader may these, and no other: one that is added
// is refused until it is known to read.
func TestAReaderMayOnlyWhatIsKnownToRead(t *testing.T) {
	may := strings.Fields("find aggregate getMore killCursors listCollections listIndexes collStats collstats dbStats dbstats dataSize datasize " +
		"dbHash dbhash filemd5 getLastError getlasterror listSearchIndexes startSession count distinct explain ping " +
		"endSessions refreshSessions killSessions commitTransaction abortTransaction")
	for name, c := range newCommands() {
		for _, on := range []string{"docs", "admin"} {
			command := bson.D{{Key: name, Value: "users"}}
			if c.onDatabase("docs", &request{database: []byte(on)}) != passes || judgedAs(t, false, on, command) != nil {
				continue
			}
			f := judgedAs(t, true, on, command)
			if known := slices.Contains(may, name); known != (f == nil) {
				t.Errorf("%s on %s: got %v, known to read: %t", name, on, f, known)
			}
			if f != nil && (f.code != 13 || f.text != "not authorized on "+on+" to execute command "+name+": this login may only read") {
				t.Errorf("%s: got %d %s", name, f.code, f.text)
			}
		}
	}
}

func TestAReadersPipelineMayNotWrite(t *testing.T) {
	match := bson.D{{Key: "$match", Value: bson.D{{Key: "a", Value: 1}}}}
	out := bson.D{{Key: "$out", Value: "copy"}}
	merge := bson.D{{Key: "$merge", Value: bson.D{{Key: "into", Value: "copy"}}}}
	nested := bson.D{{Key: "$lookup", Value: bson.D{{Key: "from", Value: "x"}, {Key: "pipeline", Value: bson.A{merge}}}}}
	aggregate := func(stages ...any) bson.D {
		return bson.D{{Key: "aggregate", Value: "users"}, {Key: "pipeline", Value: bson.A(stages)}, {Key: "cursor", Value: bson.D{}}}
	}
	twice := append(aggregate(match), bson.E{Key: "pipeline", Value: bson.A{out}})
	explain := func(inner bson.D) bson.D { return bson.D{{Key: "explain", Value: inner}} }
	for _, c := range []struct {
		command bson.D
		may     bool
	}{
		{aggregate(), true}, {aggregate(match), true}, {aggregate(match, out), false}, {aggregate(out, match), false}, {aggregate(merge), false}, {aggregate(nested), false},
		{twice, false}, {explain(aggregate(match)), true}, {explain(aggregate(out)), false}, {explain(bson.D{{Key: "find", Value: "users"}}), true},
		{explain(bson.D{{Key: "delete", Value: "users"}}), false}, {explain(bson.D{{Key: "findAndModify", Value: "users"}}), false},
		{append(explain(bson.D{{Key: "find", Value: "users"}}), bson.E{Key: "explain", Value: bson.D{{Key: "insert", Value: "users"}}}), false},
	} {
		if f := judgedAs(t, true, "docs", c.command); (f == nil) != c.may {
			t.Errorf("%v: got %v, may: %t", c.command, f, c.may)
		}
		if f := judgedAs(t, false, "docs", c.command); f != nil {
			t.Errorf("%v of a writer: got %v", c.command, f)
		}
	}
}

func TestAReadersConnectionsAreNoWriters(t *testing.T) {
	live := workspace.NewLive(workspace.Workspace{ID: 1})
	writer, reader := workspace.Route{Live: live}, workspace.Route{Live: live, Key: &workspace.LiveKey{Reads: true}}
	if keyOf(writer) == keyOf(reader) {
		t.Error("where the server has no users they share their connections")
	}
}
