package mongodb

import (
	"net"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// TestALateCommandsSessionIsKilled has a server that heeds neither the limit nor
// the end of the connection. The client hears of it after the kill, which comes
// on another connection.
func TestALateCommandsSessionIsKilled(t *testing.T) {
	id := bson.Binary{Subtype: 4, Data: []byte("0123456789abcdef")}
	lsid := func(fields ...bson.E) bson.E { return bson.E{Key: "lsid", Value: bson.D(fields)} }
	for _, test := range []struct {
		name    string
		command bson.D
		minutes int
		killed  bool
	}{
		{"in a session", bson.D{{Key: "find", Value: "c"}, lsid(bson.E{Key: "id", Value: id})}, 30, true},
		{"of someone else's, it says", bson.D{{Key: "createIndexes", Value: "c"}, {Key: "indexes", Value: bson.A{}}, lsid(bson.E{Key: "uid", Value: id}, bson.E{Key: "id", Value: id})}, 30, true},
		{"in no session", bson.D{{Key: "find", Value: "c"}}, 30, false},
		{"in no session that there is", bson.D{{Key: "find", Value: "c"}, lsid(bson.E{Key: "id", Value: "x"})}, 30, false},
		{"in one that is no document", bson.D{{Key: "find", Value: "c"}, {Key: "lsid", Value: id}}, 30, false},
		{"on a server without sessions", bson.D{{Key: "find", Value: "c"}, lsid(bson.E{Key: "id", Value: id})}, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			hang := make(chan struct{})
			defer close(hang)
			late := make(chan net.Conn, 1)
			peer := newScript(t, func(q peerRequest) []peerReply {
				if q.name != test.command[0].Key {
					return fine()
				}
				late <- q.conn
				<-hang
				return nil
			})
			peer.hello = append(bson.D{}, replicaSetHello()...)
			peer.hello[len(peer.hello)-1].Value = test.minutes
			w := newWorldAt(t, peer.address(), func(s *setup) { s.KillGrace = 50 * time.Millisecond })
			s := w.workspaceAt(t, peer.address(), workspace.Control, workspace.Settings{})
			c := s.connect(t)
			c.want(bson.D{{Key: "ok", Value: 1.0}}, hello())
			s.live.Set(workspace.Settings{QueryTimeoutMS: 100})
			c.refused(50, "100 ms (query_timeout_ms", s.cmd(test.command))
			kills := peer.got("killSessions")
			if !test.killed {
				if len(kills) != 0 {
					t.Errorf("killed: got %v, want none", kills[0].body)
				}
				return
			}
			if len(kills) != 1 {
				t.Fatalf("sessions killed: got %d, want 1", len(kills))
			}
			list := kills[0].body["killSessions"].(bson.A)
			if got := list[0].(bson.D); len(list) != 1 || len(got) != 1 || got[0].Key != "id" || !got[0].Value.(bson.Binary).Equal(id) {
				t.Errorf("killed: got %v, want the id alone", list)
			}
			if kills[0].conn == <-late {
				t.Error("the kill came on the connection that was late")
			}
			s.live.Set(workspace.Settings{})
			c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "count", Value: "c"}}))
		})
	}
}
