package mongodb

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// TestNamesBringNoSQLToTheServer has the ways in which a name comes into the SQL
// of FerretDB. A server with users has none, and takes the names.
func TestNamesBringNoSQLToTheServer(t *testing.T) {
	const sql = `x" (a TEXT); ATTACH DATABASE 'other.sqlite' AS o; --`
	index := func(name, field string) bson.D {
		return bson.D{{Key: "createIndexes", Value: "c"}, {Key: "indexes", Value: bson.A{
			bson.D{{Key: "key", Value: bson.D{{Key: "ok", Value: 1}}}, {Key: "name", Value: "ok"}},
			bson.D{{Key: "key", Value: bson.D{{Key: field, Value: 1}}}, {Key: "name", Value: name}}}}}
	}
	commands := map[string]bson.D{
		"create": {{Key: "create", Value: sql}}, "insert": insert(sql, bson.D{}),
		"update":        {{Key: "update", Value: sql}, {Key: "updates", Value: bson.A{bson.D{{Key: "q", Value: bson.D{}}, {Key: "u", Value: bson.D{}}, {Key: "upsert", Value: true}}}}},
		"findAndModify": {{Key: "findAndModify", Value: sql}, {Key: "query", Value: bson.D{}}, {Key: "update", Value: bson.D{}}, {Key: "upsert", Value: true}},
		"createIndexes": {{Key: "createIndexes", Value: sql}, {Key: "indexes", Value: bson.A{}}}, "an index": index(sql, "a"), "a field": index("a", "a."+sql),
		"two lists": append(index("a", "a"), index(sql, "a")[1]),
	}
	w := newWorld(t)
	s := w.workspace(t, workspace.Control, workspace.Settings{})
	c := s.connect(t)
	for name, command := range commands {
		c.refused(73, "double quote", s.cmd(command))
		if t.Failed() {
			t.Fatalf("%s is not refused", name)
		}
	}
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "create", Value: `it's; a name --`}}))
	c.want(bson.D{{Key: "n", Value: 1}}, s.cmd(insert("c", bson.D{{Key: "quoted", Value: `"text"`}})))
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(index("i's", "b's")))

	peer, other := scripted(t, workspace.Control, workspace.Settings{}, func(peerRequest) []peerReply { return fine() })
	other.route.Role = "owner" // on a server that needs no password of it
	peered := other.connect(t)
	for name, command := range commands {
		if got := peered.do(other.cmd(command)); got["ok"] != 1.0 {
			t.Errorf("%s on a server with users: got %v", name, got)
		}
	}
	if got := len(peer.got("create")); got != 1 {
		t.Errorf("creates: got %d, want 1", got)
	}
}
