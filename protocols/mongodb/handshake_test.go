package mongodb

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xdg-go/scram"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

func hello(extra ...bson.E) bson.D { return append(admin(bson.D{{Key: "hello", Value: 1}}), extra...) }

// legacy is an OP_QUERY.
func legacy(id int32, collection string, doc []byte) []byte {
	b := appendHeader(nil, header{0, id, 0, opQuery})
	b = append(append(b, 0, 0, 0, 0), collection...)
	b = append(b, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF)
	b = append(b, doc...)
	putLength(b, len(b))
	return b
}

func TestPlaintextIsToldThatTLSIsRequired(t *testing.T) {
	w := newWorld(t)
	for name, b := range map[string][]byte{
		"OP_MSG":   appendMessage(nil, 7, 0, 0, encode(t, hello())),
		"OP_QUERY": legacy(7, "admin.$cmd", encode(t, bson.D{{Key: "isMaster", Value: 1}})),
	} {
		c := &wire{t: t, conn: w.dialRaw(t), id: 7}
		c.send(b)
		got := c.reply()
		if got["code"] != int32(13) || !strings.Contains(got["errmsg"].(string), "TLS is required") {
			t.Errorf("%s: got %v", name, got)
		}
		c.ended()
	}
	for name, b := range map[string]string{"HTTP": "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "a huge length": "\xff\xff\xff\x7f567890123456789"} {
		c := &wire{t: t, conn: w.dialRaw(t)}
		c.send([]byte(b))
		if got := c.ended(); len(got) != 0 {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestHelloIsTheProxysOwn(t *testing.T) {
	w := newWorld(t)
	c := w.stranger(t)
	got := c.do(hello(bson.E{Key: "helloOk", Value: true}, bson.E{Key: "compression", Value: bson.A{"zstd", "lz4", "snappy"}},
		bson.E{Key: "saslSupportedMechs", Value: "x.nobody"}))
	for key, want := range map[string]any{"ok": 1.0, "helloOk": true, "isWritablePrimary": true, "maxBsonObjectSize": int32(16777216),
		"maxMessageSizeBytes": int32(48000000), "maxWriteBatchSize": int32(100000), "maxWireVersion": int32(21), "setName": nil, "msg": nil} {
		if got[key] != want {
			t.Errorf("hello: %s is %v, want %v", key, got[key], want)
		}
	}
	if names := got["compression"].(bson.A); len(names) != 2 || names[0] != "zstd" || names[1] != "snappy" {
		t.Errorf("compression: got %v", names)
	}
	if names := got["saslSupportedMechs"].(bson.A); len(names) != 1 || names[0] != "SCRAM-SHA-256" {
		t.Errorf("mechanisms: got %v", names)
	}
	c.id++
	c.send(legacy(c.id, "admin.$cmd", encode(t, bson.D{{Key: "isMaster", Value: 1}})))
	if got := c.reply(); got["ismaster"] != true || got["ok"] != 1.0 {
		t.Errorf("isMaster by OP_QUERY: got %v", got)
	}
	c.id++
	c.send(legacy(c.id, "shop.users", encode(t, bson.D{{Key: "a", Value: 1}})))
	if got := c.reply(); got["ok"] != 0.0 {
		t.Errorf("a find by OP_QUERY: got %v", got)
	}
}

func TestStrangersMayDoNothing(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Control, workspace.Settings{})
	c := w.stranger(t)
	c.want(bson.D{{Key: "ok", Value: 1.0}}, admin(bson.D{{Key: "ping", Value: 1}}))
	c.want(bson.D{{Key: "version", Value: "7.0.42"}}, admin(bson.D{{Key: "buildInfo", Value: 1}}))
	for _, d := range []bson.D{
		s.cmd(bson.D{{Key: "find", Value: "users"}}), s.cmd(bson.D{{Key: "dropDatabase", Value: 1}}), admin(bson.D{{Key: "listDatabases", Value: 1}}),
		admin(bson.D{{Key: "getLog", Value: "startupWarnings"}}), admin(bson.D{{Key: "endSessions", Value: bson.A{}}}), admin(bson.D{{Key: "noSuch", Value: 1}}),
	} {
		c.refused(13, "requires authentication", d)
	}
}

func TestWrongLoginsLookAlike(t *testing.T) {
	w := newWorld(t)
	for name, start := range map[string]bson.D{
		"wrong password": plainStart(testUser, "wrong"), "unknown user": plainStart("nobody", testPassword), "no user": plainStart("", testPassword), "no password": plainStart(testUser, ""),
	} {
		c := w.stranger(t)
		got := c.do(start)
		if got["code"] != int32(18) || got["errmsg"] != "Authentication failed." {
			t.Errorf("%s: got %v", name, got)
		}
	}
	c := w.stranger(t)
	for range maxFailures {
		c.refused(18, "Authentication failed", plainStart(testUser, "wrong"))
	}
	c.ended()
	w.stranger(t).refused(334, "PLAIN or SCRAM-SHA-256", bson.D{{Key: "saslStart", Value: 1}, {Key: "mechanism", Value: "SCRAM-SHA-1"}, {Key: "payload", Value: []byte("x")}, {Key: "$db", Value: "admin"}})
	w.stranger(t).refused(334, "PLAIN or SCRAM-SHA-256", bson.D{{Key: "authenticate", Value: 1}, {Key: "mechanism", Value: "MONGODB-X509"}, {Key: "$db", Value: "$external"}})
}

// on is a command for a database.
func on(database string, d bson.D) bson.D {
	return append(slices.Clone(d), bson.E{Key: "$db", Value: database})
}

// logInSCRAM runs the client's side, with the user of that database.
func logInSCRAM(t *testing.T, c *wire, database, user, password string, skip, speculate bool) bson.M {
	t.Helper()
	client, err := scram.SHA256.NewClient(user, password, "")
	if err != nil {
		t.Fatal(err)
	}
	talk := client.NewConversation()
	text, err := talk.Step("")
	if err != nil {
		t.Fatal(err)
	}
	start := bson.D{{Key: "saslStart", Value: 1}, {Key: "mechanism", Value: "SCRAM-SHA-256"}, {Key: "payload", Value: []byte(text)},
		{Key: "options", Value: bson.D{{Key: "skipEmptyExchange", Value: skip}}}}
	var got bson.M
	if speculate {
		said := c.do(hello(bson.E{Key: "speculativeAuthenticate", Value: append(start, bson.E{Key: "db", Value: database})}))
		raw, ok := said["speculativeAuthenticate"].(bson.D)
		if !ok {
			t.Fatalf("hello: got %v", said)
		}
		got = bson.M{}
		for _, e := range raw {
			got[e.Key] = e.Value
		}
	} else {
		got = c.do(on(database, start))
	}
	for got["done"] == false {
		payload := got["payload"].(bson.Binary)
		text = ""
		if !talk.Done() {
			if text, err = talk.Step(string(payload.Data)); err != nil {
				t.Fatal(err)
			}
		}
		got = c.do(on(database, bson.D{{Key: "saslContinue", Value: 1}, {Key: "conversationId", Value: got["conversationId"]}, {Key: "payload", Value: []byte(text)}}))
	}
	return got
}

func TestSCRAM(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Control, workspace.Settings{})
	for name, how := range map[string]struct{ skip, speculate bool }{"short": {true, false}, "with an empty exchange": {false, false}, "speculative": {true, true}} {
		c := w.stranger(t)
		if got := logInSCRAM(t, c, "admin", testUser, testPassword, how.skip, how.speculate); got["done"] != true {
			t.Errorf("%s: got %v", name, got)
		}
		c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "find", Value: "users"}}))
	}
	for name, login := range map[string][2]string{"wrong password": {testUser, "wrong"}, "unknown user": {"nobody", testPassword}} {
		if got := logInSCRAM(t, w.stranger(t), "admin", login[0], login[1], true, false); got["code"] != int32(18) {
			t.Errorf("%s: got %v", name, got)
		}
	}
	w.stranger(t).refused(17, "no SASL session", admin(bson.D{{Key: "saslContinue", Value: 1}, {Key: "conversationId", Value: 1}, {Key: "payload", Value: []byte("x")}}))
}

func TestTheFirstCommandNamesTheWorkspace(t *testing.T) {
	w := newWorld(t)
	s, other := w.workspace(t, workspace.Control, workspace.Settings{}), w.workspace(t, workspace.Control, workspace.Settings{})
	c := w.user(t)
	c.want(bson.D{{Key: "ok", Value: 1.0}}, admin(bson.D{{Key: "ping", Value: 1}}))
	c.refused(13, "not authorized on nothing", bson.D{{Key: "find", Value: "users"}, {Key: "$db", Value: "nothing"}})
	c.want(bson.D{{Key: "ok", Value: 1.0}}, admin(bson.D{{Key: "endSessions", Value: bson.A{}}}))
	c.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "find", Value: "users"}}))
	c.refused(13, "bound to the database "+s.route.Database, other.cmd(bson.D{{Key: "find", Value: "users"}}))
	got := c.do(admin(bson.D{{Key: "listDatabases", Value: 1}}))
	if list := got["databases"].(bson.A); len(list) != 1 || list[0].(bson.D)[0].Value != s.route.Database {
		t.Errorf("databases: got %v", got)
	}
	c.want(bson.D{{Key: "ok", Value: 1.0}}, admin(bson.D{{Key: "logout", Value: 1}}))
	c.refused(13, "requires authentication", s.cmd(bson.D{{Key: "find", Value: "users"}}))

	unbound := w.user(t).do(admin(bson.D{{Key: "listDatabases", Value: 1}}))
	if list := unbound["databases"].(bson.A); len(list) != 2 {
		t.Errorf("databases that may be named: got %v", unbound)
	}

	renamer := w.user(t)
	renamer.refused(26, "does not exist", admin(bson.D{{Key: "renameCollection", Value: s.route.Database + ".a"}, {Key: "to", Value: s.route.Database + ".b"}}))
	renamer.refused(13, "bound to", other.cmd(bson.D{{Key: "find", Value: "users"}}))
}

func TestStrangersAreBounded(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Control, workspace.Settings{})
	large := bson.D{{Key: "ping", Value: 1}, {Key: "comment", Value: strings.Repeat("x", maxStartup)}}
	c := w.stranger(t)
	c.try(appendMessage(nil, 1, 0, 0, encode(t, admin(large))))
	if got := c.ended(); len(got) != 0 {
		t.Errorf("a large message: got %d bytes", len(got))
	}
	packed := appendHeader(nil, header{headerSize + 9, 1, 0, opCompressed})
	packed = append(binary.LittleEndian.AppendUint32(packed, opMsg), 0, 0, 0, 1, 2)
	c = w.stranger(t)
	c.try(packed)
	if got := c.ended(); len(got) != 0 {
		t.Errorf("a compressed message: got %d bytes", len(got))
	}
	s.connect(t).want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(large))
}

func TestSilentStrangersEndAtTheDeadline(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.handshakeTimeout = 5 * time.Second })
	user, monitor := w.user(t), w.stranger(t)
	version := monitor.do(hello())["topologyVersion"]
	silent := map[string]*wire{"silent": w.stranger(t), "one byte": w.stranger(t), "a half message": w.stranger(t)}
	silent["one byte"].send([]byte{1})
	silent["a half message"].send(appendMessage(nil, 1, 0, 0, encode(t, hello()))[:30])
	for name, c := range silent {
		if got := c.ended(); len(got) != 0 {
			t.Errorf("%s: got %q", name, got)
		}
	}
	monitor.want(bson.D{{Key: "ok", Value: 1.0}}, hello(bson.E{Key: "topologyVersion", Value: version}, bson.E{Key: "maxAwaitTimeMS", Value: 100}))
	user.want(bson.D{{Key: "ok", Value: 1.0}}, admin(bson.D{{Key: "ping", Value: 1}}))
}

func TestMonitorsStream(t *testing.T) {
	w := newWorld(t)
	c := w.stranger(t)
	version := c.do(hello())["topologyVersion"]
	c.request(flagExhaustAllowed, hello(bson.E{Key: "topologyVersion", Value: version}, bson.E{Key: "maxAwaitTimeMS", Value: 50}))
	responseTo := c.id
	for range 3 {
		h, b := c.read()
		if h.responseTo != responseTo {
			t.Fatalf("reply to %d, want to %d", h.responseTo, responseTo)
		}
		if flags := binary.LittleEndian.Uint32(b[headerSize:]); flags&flagMoreToCome == 0 {
			t.Fatalf("flags: got %x, want more to come", flags)
		}
		if got := body(t, h, b); got["isWritablePrimary"] != true {
			t.Fatalf("got %v", got)
		}
		responseTo = h.requestID
	}
}

func TestMonitorsHearOfAChange(t *testing.T) {
	w := newWorld(t)
	c := w.stranger(t)
	version := c.do(hello())["topologyVersion"]
	c.request(0, hello(bson.E{Key: "topologyVersion", Value: version}, bson.E{Key: "maxAwaitTimeMS", Value: 60_000}))
	v, _ := w.protocol.topology.view()
	changed := v.description
	changed.SetName = "rs0"
	w.protocol.topology.see(changed, nil)
	got := c.reply()
	if got["setName"] != "rs0" || got["me"] != w.addr || got["primary"] != w.addr {
		t.Errorf("got %v", got)
	}
}

func TestMonitorsDoNotHoldUpAShutdown(t *testing.T) {
	w := newWorld(t)
	waiting, polling, unbound := w.stranger(t), w.stranger(t), w.user(t)
	version := waiting.do(hello())["topologyVersion"]
	polling.do(hello())
	waiting.request(flagExhaustAllowed, hello(bson.E{Key: "topologyVersion", Value: version}, bson.E{Key: "maxAwaitTimeMS", Value: 50}))
	waiting.reply()
	ctx, done := context.WithTimeout(t.Context(), patience)
	defer done()
	if err := w.server.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	for {
		h, b := waiting.read()
		if got := body(t, h, b); got["code"] == int32(91) {
			break
		}
	}
	for _, c := range []*wire{polling, unbound} {
		if got := c.ended(); len(got) != 0 {
			t.Errorf("got %q", got)
		}
	}
}

func TestAServerThatIsDownIsReported(t *testing.T) {
	down := workspace.Address{Network: "unix", Addr: t.TempDir() + "/none"}
	w := newWorldAt(t, down)
	s := w.workspaceAt(t, down, workspace.Control, workspace.Settings{})
	w.stranger(t).refused(6, "can't be reached", hello())
	c := w.user(t)
	c.refused(6, "workspace '"+s.live.Name+"' can't be reached", s.cmd(bson.D{{Key: "find", Value: "users"}}))
	c.ended()
}

// TestNoConnectionIsLeftBehind breaks a thousand connections at every byte of a
// conversation.
func TestNoConnectionIsLeftBehind(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Control, workspace.Settings{})
	talk := appendMessage(nil, 1, 0, 0, encode(t, hello()))
	talk = appendMessage(talk, 2, 0, 0, encode(t, plainStart(testUser, testPassword)))
	talk = appendMessage(talk, 3, 0, 0, encode(t, s.cmd(bson.D{{Key: "find", Value: "users"}})))
	before := wiretest.OpenFiles(t)
	for i := range 1000 {
		raw := w.dialRaw(t)
		if i%10 == 0 {
			c := w.cert.Over(t, raw)
			if _, err := c.Write(talk[:i*len(talk)/1000]); err != nil {
				t.Fatal(err)
			}
		} else if _, err := raw.Write(bytes.Repeat([]byte{byte(i)}, i%40)); err != nil {
			t.Fatal(err)
		}
		if tcp, ok := raw.(*net.TCPConn); ok && i%3 == 0 {
			_ = tcp.SetLinger(0)
		}
		raw.Close()
	}
	wiretest.Await(t, "all sockets are closed", func() bool { return wiretest.OpenFiles(t) <= before+window.MaxIdlePerKey+2 })
}

func TestBackendsAreReusedAndForgotten(t *testing.T) {
	peer, s := scripted(t, workspace.Control, workspace.Settings{}, func(peerRequest) []peerReply { return fine() })
	idle := s.world.protocol.pool.Idle
	for range 5 {
		c := s.connect(t)
		c.conn.Close()
		wiretest.Await(t, "the backend is warm", func() bool { return idle() == 1 })
	}
	if got := peer.Accepted(); got != 1 {
		t.Errorf("connections to the server: got %d, want one for all sessions", got)
	}
	s.world.protocol.Forget(s.live.ID)
	if got := idle(); got != 0 {
		t.Errorf("warm backends of a workspace that is gone: got %d", got)
	}
}
