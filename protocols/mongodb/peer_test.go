package mongodb

import (
	"net"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// script is a server that answers what no real one of the tests does. It
// answers hello and buildInfo as a member of a replica set of version 7.
type script struct {
	*wiretest.Peer
	t testing.TB
	// answer gives the replies to a command, each with its flags; none for no
	// reply at all.
	answer func(q peerRequest) []peerReply
	hello  bson.D
	greet  func() bson.D // gives hello, where it changes

	mu   sync.Mutex
	seen []peerRequest
}

// peerRequest is a message that the server got.
type peerRequest struct {
	conn  net.Conn
	h     header
	flags uint32
	frame []byte
	body  bson.M
	name  string
}

type peerReply struct {
	flags uint32
	body  bson.D
}

func replicaSetHello() bson.D {
	return bson.D{{Key: "ok", Value: 1.0}, {Key: "setName", Value: "rs0"}, {Key: "setVersion", Value: 3}, {Key: "isWritablePrimary", Value: true},
		{Key: "hosts", Value: bson.A{"inside:27017"}}, {Key: "me", Value: "inside:27017"}, {Key: "primary", Value: "inside:27017"},
		{Key: "minWireVersion", Value: 0}, {Key: "maxWireVersion", Value: 21}, {Key: "maxBsonObjectSize", Value: 16777216},
		{Key: "maxMessageSizeBytes", Value: 48000000}, {Key: "maxWriteBatchSize", Value: 100000}, {Key: "logicalSessionTimeoutMinutes", Value: 30}}
}

func newScript(t testing.TB, answer func(q peerRequest) []peerReply) *script {
	s := &script{t: t, answer: answer, hello: replicaSetHello()}
	s.Peer = wiretest.NewPeer(t, s.serve)
	return s
}

func (s *script) address() workspace.Address {
	return workspace.Address{Network: "unix", Addr: s.Addr}
}

func (s *script) serve(conn net.Conn) {
	for id := int32(1000); ; id++ {
		h, b, err := readFrame(conn)
		if err != nil {
			return
		}
		var m message
		if _, err := parseMessage(b, h, &m); err != nil {
			s.t.Errorf("server: %v", err)
			return
		}
		q := peerRequest{conn: conn, h: h, flags: m.flags, frame: b}
		if err := bson.Unmarshal(m.body, &q.body); err != nil {
			s.t.Errorf("server: %v", err)
			return
		}
		first, err := bson.Raw(m.body).Elements()
		if err != nil || len(first) == 0 {
			s.t.Errorf("server: a command without a name: %v", err)
			return
		}
		q.name = first[0].Key()
		responseTo := h.requestID
		for _, r := range s.replies(q) {
			id++
			reply, err := bson.Marshal(r.body)
			if err != nil {
				s.t.Errorf("server: %v", err)
				return
			}
			if _, err := conn.Write(appendMessage(nil, id, responseTo, r.flags, reply)); err != nil {
				return
			}
			responseTo = id
		}
	}
}

func (s *script) replies(q peerRequest) []peerReply {
	switch q.name {
	case "hello":
		if s.greet != nil {
			return []peerReply{{0, s.greet()}}
		}
		return []peerReply{{0, s.hello}}
	case "buildInfo":
		return []peerReply{{0, bson.D{{Key: "version", Value: "7.0.5"}, {Key: "ok", Value: 1.0}}}}
	}
	s.mu.Lock()
	s.seen = append(s.seen, q)
	s.mu.Unlock()
	return s.answer(q)
}

// got is the commands so far of that name.
func (s *script) got(name string) (all []peerRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.seen {
		if q.name == name {
			all = append(all, q)
		}
	}
	return all
}

func fine() []peerReply { return []peerReply{{0, bson.D{{Key: "ok", Value: 1.0}}}} }

// scripted is a workspace on a scripted server.
func scripted(t testing.TB, mode workspace.Mode, settings workspace.Settings, answer func(q peerRequest) []peerReply, change ...func(*setup)) (*script, *testSpace) {
	t.Helper()
	peer := newScript(t, answer)
	w := newWorldAt(t, peer.address(), change...)
	return peer, w.workspaceAt(t, peer.address(), mode, settings)
}
