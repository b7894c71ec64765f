//go:build !race

package mongodb

import (
	"bytes"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// answering is a server that has the same reply to everything.
type answering struct {
	*wiretest.Recording
	reply []byte
	rest  []byte
	sent  int
}

func (a *answering) Write(b []byte) (int, error) {
	a.rest = a.reply
	a.sent += len(b)
	return len(b), nil
}

func (a *answering) Read(b []byte) (int, error) {
	n := copy(b, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// relayInMemory has a frontend in TLS whose other end reads everything.
func relayInMemory(t testing.TB, s workspace.Settings) (*relay, *answering) {
	t.Helper()
	p := &Protocol{commands: newCommands(), codecs: newCodecs(), wheel: window.NewWheel()}
	live := workspace.NewLive(workspace.Workspace{Name: "shop", Mode: workspace.Control, Settings: s})
	server := &answering{Recording: wiretest.NewRecording(nil)}
	return &relay{
		client: &client{protocol: p, conn: wiretest.Drained(t), authenticated: true},
		route:  workspace.Route{Live: live, Database: "shop"},
		live:   live,
		space:  newSpace(),
		back:   &backend{conn: server, idleSince: time.Now()},
	}, server
}

func TestForwardingDoesNotAllocate(t *testing.T) {
	lsid := bson.E{Key: "lsid", Value: bson.D{{Key: "id", Value: bson.Binary{Subtype: 4, Data: make([]byte, 16)}}}}
	db := bson.E{Key: "$db", Value: "shop"}
	batch := bson.D{{Key: "cursor", Value: bson.D{{Key: "firstBatch", Value: bson.A{bson.D{{Key: "_id", Value: 7}, {Key: "name", Value: "seven"}}}}, {Key: "id", Value: int64(0)}, {Key: "ns", Value: "shop.users"}}}, {Key: "ok", Value: 1.0}}
	for name, e := range map[string]struct {
		mode         workspace.Mode
		settings     workspace.Settings
		cmd, replies bson.D
	}{
		"a find":             {workspace.Tenant, workspace.DefaultSettings(), bson.D{{Key: "find", Value: "users"}, {Key: "filter", Value: bson.D{{Key: "_id", Value: 7}}}, lsid, db}, batch},
		"without limits":     {workspace.Tenant, workspace.Settings{}, bson.D{{Key: "find", Value: "users"}, {Key: "filter", Value: bson.D{{Key: "_id", Value: 7}}}, lsid, db}, batch},
		"an insert":          {workspace.Tenant, workspace.DefaultSettings(), append(insert("users", bson.D{{Key: "_id", Value: 7}, {Key: "text", Value: string(make([]byte, 20_000))}}), lsid, db), bson.D{{Key: "n", Value: 1}, {Key: "ok", Value: 1.0}}},
		"a tenant's insert":  {workspace.Deployed, workspace.DefaultSettings(), append(insert("users", bson.D{{Key: "_id", Value: 7}}), lsid, db), bson.D{{Key: "n", Value: 1}, {Key: "ok", Value: 1.0}}},
		"its own time limit": {workspace.Tenant, workspace.DefaultSettings(), bson.D{{Key: "count", Value: "users"}, {Key: "maxTimeMS", Value: 90_000}, db}, bson.D{{Key: "n", Value: 1}, {Key: "ok", Value: 1.0}}},
	} {
		t.Run(name, func(t *testing.T) {
			r, server := relayInMemory(t, e.settings)
			// Tracked, and into a collection that is known.
			r.tracked, r.fixed = e.mode == workspace.Tenant, e.mode == workspace.Deployed
			r.space.learn("users")
			ask := appendMessage(nil, 1, 0, 0, encode(t, e.cmd))
			server.reply = appendMessage(nil, 9, 1, 0, encode(t, e.replies))
			asks := bytes.NewReader(nil)
			exchange := func() {
				asks.Reset(ask)
				for asks.Len() > 0 {
					if err := r.in.Fill(asks); err != nil {
						t.Fatal(err)
					}
					if need, err := r.parse(&r.request, maxMessage); err != nil {
						if err := r.in.Hold(need, maxMessage); err != nil {
							t.Fatal(err)
						}
					}
				}
				if err := r.handle(&r.request); err != nil {
					t.Fatal(err)
				}
			}
			wiretest.NoAllocation(t, r, exchange, len(ask), len(server.reply))
		})
	}
}
