package test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/ddltrack"
)

// TestTheShownQueueRunInMongoshRebuildsTheWorkspace has several sessions change
// the schema in every way that the server knows, and then the lines of the queue,
// as they are shown, run in the real shell.
func TestTheShownQueueRunInMongoshRebuildsTheWorkspace(t *testing.T) {
	mustHaveNodeModules(t)
	ctx := mongoContext(t)
	source := database{installation: shared, id: "mongosh-shown", url: shared.mongoAddress(t, "mongosh-shown", "tenant", nil)}
	index := func(name string, unique bool, fields ...any) bson.D {
		key := bson.D{}
		for i := 0; i < len(fields); i += 2 {
			key = append(key, bson.E{Key: fields[i].(string), Value: fields[i+1]})
		}
		spec := bson.D{{Key: "key", Value: key}, {Key: "name", Value: name}}
		if unique {
			spec = append(spec, bson.E{Key: "unique", Value: true})
		}
		return spec
	}
	var sessions sync.WaitGroup
	for i := range 3 {
		db := mongoClient(t, source.url)
		sessions.Go(func() {
			name := func(s string) string { return fmt.Sprint(s, i) }
			indexes := func(collection string, specs ...any) bson.D {
				return bson.D{{Key: "createIndexes", Value: collection}, {Key: "indexes", Value: append(bson.A{}, specs...)}}
			}
			for _, command := range []bson.D{
				{{Key: "create", Value: name("users")}},
				{{Key: "create", Value: name("log")}, {Key: "capped", Value: true}, {Key: "size", Value: int64(8192)}, {Key: "max", Value: 10}},
				{{Key: "create", Value: name("with 'odd' name & <ä> ")}},
				{{Key: "create", Value: name("a.b.c")}},
				{{Key: "insert", Value: name("implicit")}, {Key: "documents", Value: bson.A{bson.D{{Key: "x", Value: 1}}}}},
				indexes(name("users"), index("email_1", true, "email", 1)),
				indexes(name("users"), index("a_1_b_-1", false, "a", 1, "b", -1), index("c_1", false, "c", 1)),
				indexes(name("users"), index("own", false, "z", 1, "10", 1, "9", -1), index("sub.field_1", true, "sub.field", 1)),
				indexes(name("a.b.c"), index("x_1", false, "x", 1), index("y_1", true, "y", 1)),
				{{Key: "dropIndexes", Value: name("users")}, {Key: "index", Value: bson.D{{Key: "c", Value: 1}}}},
				{{Key: "dropIndexes", Value: name("a.b.c")}, {Key: "index", Value: "*"}},
				{{Key: "drop", Value: name("implicit")}},
				{{Key: "renameCollection", Value: db.Name() + "." + name("users")}, {Key: "to", Value: db.Name() + "." + name("people")}},
			} {
				on := db
				if command[0].Key == "renameCollection" {
					on = db.Client().Database("admin")
				}
				if err := on.RunCommand(ctx, command).Err(); err != nil {
					t.Errorf("%v: %v", command, err)
				}
			}
		})
	}
	sessions.Wait()
	for _, name := range []string{"stats", "version", "constructor", "getName"} {
		if err := mongoClient(t, source.url).RunCommand(ctx, bson.D{{Key: "create", Value: name}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	queue := source.queue(t)
	if len(queue) != 3*13+4 {
		t.Errorf("%d entries, want one for each command", len(queue))
	}
	var lines []string
	for _, e := range queue {
		if !strings.HasPrefix(e.DDL, "db.") || strings.Contains(e.DDL, "\n") {
			t.Errorf("entry %d is shown as %q, want a line of mongosh", e.ID, e.DDL)
		}
		lines = append(lines, e.DDL)
	}
	body := shared.mongoWorkspace(t, "mongosh-shown-r", "control")
	file := filepath.Join(t.TempDir(), "queue.js")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	shared.mongoshFed(t, body["connection_string"].(string), "", "--file", file)
	if got, want := mongoSchema(t, ctx, shared.mongo(t, body)), mongoSchema(t, ctx, mongoClient(t, source.url)); got != want {
		t.Errorf("the lines that are shown make another schema:\n%s", firstDifference(got, want))
	}
	t.Run("by the API", func(t *testing.T) {
		again := shared.mongoWorkspace(t, "mongosh-shown-a", "control")
		for _, line := range lines {
			run(t, "mongosh-shown-a", line)
		}
		if got, want := mongoSchema(t, ctx, shared.mongo(t, again)), mongoSchema(t, ctx, mongoClient(t, source.url)); got != want {
			t.Errorf("the lines that are shown, run as queries, make another schema:\n%s", firstDifference(got, want))
		}
	})
}

// TestMongoshReadsShownValuesAsTheyAre has the real shell say what it takes the
// values for that a shown statement may hold, and which names are its own.
func TestMongoshReadsShownValuesAsTheyAre(t *testing.T) {
	mustHaveNodeModules(t)
	decimal, err := bson.ParseDecimal128("1.10E+5")
	if err != nil {
		t.Fatal(err)
	}
	values := bson.A{
		bson.ObjectID{1, 2}, bson.DateTime(5), bson.DateTime(-8_640_000_000_000_000), bson.DateTime(-62_000_000_000_000), int64(1)<<60 + 1, int64(-1), decimal,
		bson.Binary{Subtype: 4, Data: []byte("0123456789abcdef")}, bson.Binary{Data: []byte("abc")}, bson.Binary{Subtype: 128, Data: []byte{}},
		bson.Regex{Pattern: "a/b\n\\d", Options: "im"}, bson.Timestamp{T: 1 << 31, I: 7}, bson.MinKey{}, bson.MaxKey{}, bson.JavaScript("function () { return \"x\" }"),
		bson.CodeWithScope{Code: "x", Scope: bson.D{{Key: "a", Value: int32(1)}}}, bson.Symbol("s"), 1.0, 0.5, math.Copysign(0, -1), float64(1 << 31), 3e9, 1e300, 5e-324,
		math.Inf(1), math.Inf(-1), int32(-5), nil, true, "\u2028\x00<&>'\"\\", bson.A{}, bson.D{},
		bson.D{{Key: "__proto__", Value: int32(1)}, {Key: "a-b", Value: int32(2)}, {Key: "", Value: "x"}, {Key: "constructor", Value: int32(3)}},
		bson.D{{Key: "b", Value: int32(1)}, {Key: "10", Value: bson.D{{Key: "z", Value: 1.0}, {Key: "0", Value: int32(2)}}}},
	}
	var script, want []string
	for _, v := range values {
		command := bson.D{{Key: "collMod", Value: "c"}, {Key: "v", Value: v}}
		text, err := ddltrack.MongoStatement(command)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, text)
		script = append(script, strings.Replace(ddltrack.MongoShell(command), "db.", "shown.", 1))
	}
	file := filepath.Join(t.TempDir(), "values.js")
	text := `const shown = { runCommand: (c) => print(BSON.toHex(c)) };
		const BSON = { toHex: (c) => Buffer.from(require('bson').serialize(c, { ignoreUndefined: false })).toString('hex') };
		` + strings.Join(script, "\n") + `
		const names = new Set();
		for (let p = Object.getPrototypeOf(db); p; p = Object.getPrototypeOf(p)) Object.getOwnPropertyNames(p).forEach((n) => names.add(n));
		print(JSON.stringify([...names]));`
	text = strings.Replace(text, "require('bson')", fmt.Sprintf("require(%q)", absolute(t, "clients/node_modules/bson")), 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := shared.mongoWorkspace(t, "mongosh-values", "control")["connection_string"].(string)
	out := strings.Split(strings.TrimSpace(shared.mongoshFed(t, address, "", "--file", file)), "\n")
	if len(out) != len(values)+1 {
		t.Fatalf("the shell said %d lines, want %d:\n%s", len(out), len(values)+1, strings.Join(out, "\n"))
	}
	for i, w := range want {
		var command bson.D
		if err := bson.UnmarshalExtJSON([]byte(w), true, &command); err != nil {
			t.Fatal(err)
		}
		b, err := bson.Marshal(command)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(out[i]); got != fmt.Sprintf("%x", b) {
			t.Errorf("%s\nis for the shell %s\nwant             %x", script[i], got, b)
		}
	}
	var names []string
	if err := json.Unmarshal([]byte(out[len(values)]), &names); err != nil || len(names) < 50 {
		t.Fatalf("names of the shell's own: %v, %v", names, err)
	}
	for _, name := range names {
		if line := ddltrack.MongoShell(bson.D{{Key: "drop", Value: name}}); !strings.HasPrefix(line, "db.getCollection(") {
			t.Errorf("collection %s is shown as %s, which is the shell's own", name, line)
		}
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return full
}
