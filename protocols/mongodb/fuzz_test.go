package mongodb

import (
	"context"
	"log/slog"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// FuzzStartup has a client say anything before it is authenticated. Nothing but
// the right password lets it in.
func FuzzStartup(f *testing.F) {
	for _, b := range messages(f) {
		f.Add(b)
	}
	say := func(ds ...bson.D) (b []byte) {
		for i, d := range ds {
			b = appendMessage(b, int32(i), 0, 0, encode(f, d))
		}
		return b
	}
	ping := bson.D{{Key: "ping", Value: 1}, {Key: "$db", Value: "shop"}}
	scramStart := bson.D{{Key: "saslStart", Value: 1}, {Key: "mechanism", Value: "SCRAM-SHA-256"}, {Key: "payload", Value: []byte("n,,n=tdb_12345678,r=abc")}, {Key: "$db", Value: "admin"}}
	f.Add(say(hello(), ping))
	f.Add(say(hello(bson.E{Key: "speculativeAuthenticate", Value: scramStart}), ping))
	f.Add(say(hello(bson.E{Key: "maxAwaitTimeMS", Value: 10}, bson.E{Key: "topologyVersion", Value: bson.D{{Key: "processId", Value: bson.NewObjectID()}, {Key: "counter", Value: int64(1)}}})))
	f.Add(say(plainStart(testUser, "wrong"), plainStart(testUser, ""), ping))
	f.Add(say(scramStart, bson.D{{Key: "saslContinue", Value: 1}, {Key: "conversationId", Value: 1}, {Key: "payload", Value: []byte("c=biws,r=abc,p=abc")}, {Key: "$db", Value: "admin"}}, ping))
	f.Add(legacy(1, "admin.$cmd", encode(f, bson.D{{Key: "isMaster", Value: 1}, {Key: "compression", Value: bson.A{"zstd"}}})))

	live := workspace.NewLive(workspace.Workspace{ID: 1, Name: "shop"})
	d := &directory{scram: wiretest.SCRAM(f, testPassword), spaces: map[string]*testSpace{"shop": {live: live, route: workspace.Route{Live: live, Database: "shop"}}}}
	p := &Protocol{commands: newCommands(), codecs: newCodecs(), topology: newTopology(), config: Config{Directory: d, Log: slog.New(slog.DiscardHandler), PublicHost: func() string { return "localhost:27017" }}}
	p.topology.see(description{MaxWire: 21, MaxDocument: 16 << 20, MaxMessage: maxMessage, MaxBatch: 100_000}, nil)
	over, end := context.WithCancel(context.Background())
	end() // no delay for failed logins
	ctx := protocols.WithStay(over, func() (context.Context, bool) { return over, true })
	f.Fuzz(func(t *testing.T, said []byte) {
		conn := wiretest.NewRecording(said)
		st := &startup{client: &client{protocol: p, conn: conn}, ctx: ctx}
		if s, err := st.serve(); err == nil {
			t.Fatalf("logged in as %q to %q", s.user, s.route.Database)
		}
		if len(conn.Written) > 64*(len(said)+1024) {
			t.Fatalf("%d bytes said, %d answered", len(said), len(conn.Written))
		}
	})
}
