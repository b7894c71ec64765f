package mongodb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

const (
	// stepTimeout bounds each message of a client that is not authenticated,
	// from its first byte on, and its login from the first message of it on.
	stepTimeout = 10 * time.Second
	// strangerIdle is how long a client that is not authenticated may say
	// nothing. Drivers that poll ask every ten seconds.
	strangerIdle = 2 * time.Minute
)

var errNoStay = errors.New("too many connections without a session")

// startup is a client before its first command for a workspace.
type startup struct {
	*client
	ctx     context.Context // the startup's, until lasting is there
	lasting context.Context
	unstay  func() bool // keeps the end of lasting from the connection
	sasl    sasl
	login   bool // a login has begun: it has stepTimeout
}

// session is an authenticated client, whose workspace was named by its login or
// by its first command, which waits for its answer.
type session struct {
	*client
	first   request
	route   workspace.Route
	welcome []byte // the answer to first, where that ended the login
}

// Handshake upgrades to TLS, authenticates, and answers the client itself
// until a command names a workspace. A driver's monitor never does.
func (p *Protocol) Handshake(ctx context.Context, conn net.Conn) (protocols.Session, error) {
	secured, err := p.secure(ctx, conn)
	if err != nil {
		return nil, err
	}
	st := &startup{client: &client{protocol: p, conn: secured, number: p.numbers.Add(1)}, ctx: ctx}
	s, err := st.serve()
	if st.unstay != nil {
		st.unstay()
	}
	switch {
	case err == nil:
		return s, nil
	case st.lasting != nil && isGoodbye(err):
		return nil, protocols.ErrServed
	}
	return nil, err
}

// serve answers messages until one leads to a workspace.
func (st *startup) serve() (*session, error) {
	for {
		s := &session{client: st.client}
		if err := st.next(&s.first); err != nil {
			return nil, err
		}
		bound, err := st.answer(s)
		if err != nil || bound {
			return s, err
		}
		if !s.first.packed {
			st.in.Discard(int(s.first.length))
		}
	}
}

// next reads a message.
func (st *startup) next(q *request) error {
	most := int32(maxStartup)
	if st.authenticated {
		most = maxMessage
	}
	if err := st.await(); err != nil {
		return err
	}
	err := st.receive(q, most, st.hurry)
	if st.lasting != nil && st.lasting.Err() != nil && interrupted(err) {
		return fmt.Errorf("shutdown: %w", net.ErrClosed)
	}
	if err == nil && !st.authenticated && !q.whole() {
		return protocolError("OP_MSG ends within a section")
	}
	return err
}

// await sets how long the next message may be waited for.
func (st *startup) await() error {
	if st.lasting == nil || st.login {
		return nil // the deadline over all of the startup stands
	}
	deadline := time.Time{}
	if !st.authenticated {
		deadline = time.Now().Add(strangerIdle)
	}
	if err := st.conn.SetReadDeadline(deadline); err != nil {
		return fmt.Errorf("read frontend: %w", err)
	}
	st.endWithLasting()
	return nil
}

// endWithLasting keeps a deadline just set from hiding that the proxy shuts
// down.
func (st *startup) endWithLasting() {
	if st.lasting.Err() != nil {
		// A socket that can't take a deadline is closed already.
		_ = st.conn.SetReadDeadline(window.Past)
	}
}

// hurry bounds the rest of a message of which the first bytes are here.
func (st *startup) hurry() {
	if st.lasting != nil && !st.authenticated && !st.login {
		_ = st.conn.SetReadDeadline(time.Now().Add(stepTimeout))
		st.endWithLasting()
	}
}

// stay lets the connection last without a session.
func (st *startup) stay() error {
	if st.lasting != nil {
		return nil
	}
	lasting, ok := protocols.Stay(st.ctx)
	if !ok {
		return errNoStay
	}
	st.lasting = lasting
	st.unstay = context.AfterFunc(lasting, func() { _ = st.conn.SetReadDeadline(window.Past) })
	return nil
}

// answer does what a client may ask for before its session; bound says that s
// has its workspace.
func (st *startup) answer(s *session) (bound bool, err error) {
	q := &s.first
	if q.legacy && !isHello(q.name) {
		return false, st.fail(q, badRequest("OP_QUERY is supported for hello only: use OP_MSG"))
	}
	switch string(q.name) {
	case "hello", "isMaster", "ismaster":
		return st.hello(s)
	case "saslStart":
		if st.authenticated {
			return false, st.fail(q, unauthorized("this connection is authenticated already"))
		}
		return st.step(s, st.saslStart)
	case "saslContinue":
		return st.step(s, st.saslContinue)
	}
	c := st.protocol.commands[string(q.name)]
	switch {
	case c == nil && st.authenticated:
		return false, st.fail(q, noSuchCommand(q.name))
	case c == nil, !c.open && (!st.authenticated || st.loggedOut):
		return false, st.fail(q, notAuthenticated(q.name))
	case c.answer != nil && !(st.authenticated && c.own == passes && string(q.database) != "admin"):
		return false, st.answerWith(q, c.answer)
	case !st.authenticated || st.loggedOut:
		return false, st.fail(q, notAuthenticated(q.name))
	case string(q.database) == "admin":
		return st.onAdmin(s, c)
	}
	return st.bind(s, string(q.database))
}

// onAdmin finds the workspace of a command that is for the admin database, by
// the namespace in it.
func (st *startup) onAdmin(s *session, c *command) (bound bool, err error) {
	q := &s.first
	if c.admin == passes && c.names != nil {
		if database, ok := c.names(q); ok {
			return st.bind(s, database)
		}
	}
	if c.admin == passes {
		return false, st.fail(q, &failure{251, "NoSuchTransaction", "this connection has sent no command to a workspace"})
	}
	return false, st.fail(q, refusedOn(q, c))
}

// bind finds the workspace of the database.
func (st *startup) bind(s *session, database string) (bound bool, err error) {
	login, err := st.protocol.config.Directory.Login(st.context(), workspace.MongoDB, st.user, database)
	if err != nil {
		return false, errors.Join(err, st.fail(&s.first, unreachable("the store of workspaces")))
	}
	if !login.Known {
		return false, st.fail(&s.first, notYours(&s.first))
	}
	s.route = login.Route
	return true, nil
}

// hello answers a hello. From there on the client may be a monitor.
func (st *startup) hello(s *session) (bound bool, err error) {
	q := &s.first
	g, err := parseGreeting(q.name, q.body)
	if err != nil {
		return false, protocolError(err.Error())
	}
	v, err := st.protocol.seeServers(st.context())
	if err != nil {
		return false, errors.Join(st.fail(q, unreachable("the database server")), err)
	}
	if err := st.stay(); err != nil {
		return false, errors.Join(st.fail(q, unreachable("the proxy, which has too many connections,")), err)
	}
	if g.wait > 0 {
		return false, st.monitor(q, &g, v)
	}
	var extras [][]byte
	if g.speculative != nil && !st.authenticated {
		answer, err := st.speculate(g.speculative)
		if err != nil {
			return false, err
		}
		if answer != nil {
			extras = append(extras, bsoncore.AppendDocumentElement(nil, "speculativeAuthenticate", answer))
		}
	}
	return st.welcome(s, g.answer(st.client, v, extras...))
}

// welcome answers what may have ended the login. Where that named a workspace
// the answer waits until there is room in it.
func (st *startup) welcome(s *session, answer []byte) (bound bool, err error) {
	if st.sasl.route == nil {
		return false, st.reply(&s.first, answer)
	}
	s.route, s.welcome = *st.sasl.route, answer
	return true, nil
}

// speculate does a saslStart that came with hello; nil where it failed, of
// which the client hears when it starts anew.
func (st *startup) speculate(command []byte) ([]byte, error) {
	if name, err := lookup(command, "saslStart"); err != nil || name.kind == 0 {
		return nil, err
	}
	st.beginLogin()
	source, err := lookup(command, "db")
	if err != nil {
		return nil, err
	}
	database, _ := source.text()
	doc, f, err := st.saslStart(st.context(), command, database)
	if f != nil {
		return nil, err
	}
	return doc, err
}

// beginLogin gives the login its time.
func (st *startup) beginLogin() {
	if st.lasting != nil && !st.login {
		_ = st.conn.SetReadDeadline(time.Now().Add(stepTimeout))
		st.endWithLasting()
	}
	st.login = true
}

// step does one step of a login.
func (st *startup) step(s *session, do saslStep) (bound bool, err error) {
	q := &s.first
	st.beginLogin()
	doc, f, err := do(st.context(), q.body, q.database)
	if f != nil {
		return false, errors.Join(st.fail(q, f), err)
	}
	if st.authenticated && st.sasl.route == nil {
		st.login = false
		if err := st.stay(); err != nil {
			return false, errors.Join(st.fail(q, unreachable("the proxy, which has too many connections,")), err)
		}
	}
	return st.welcome(s, doc)
}

// context is what the startup's waits end with.
func (st *startup) context() context.Context {
	if st.lasting != nil {
		return st.lasting
	}
	return st.ctx
}

// monitor answers a hello that waits for a change of the topology, again and
// again where the client takes such a stream.
func (st *startup) monitor(q *request, g *greeting, v topologyView) error {
	responseTo := q.requestID
	for {
		var ok bool
		if v, ok = g.await(st.lasting, st.protocol, v); !ok {
			st.lastWords(q, shuttingDown())
			return fmt.Errorf("shutdown: %w", net.ErrClosed)
		}
		id, flags := st.protocol.nextRequest(), uint32(0)
		if q.flags&flagExhaustAllowed != 0 {
			flags = flagMoreToCome
		}
		if err := st.write(st.encode(q, id, responseTo, flags, g.answer(st.client, v))); err != nil {
			return err
		}
		if flags == 0 {
			return nil
		}
		responseTo, g.process, g.counter = id, st.protocol.topology.process[:], v.counter
	}
}

// isHello says whether the name is of one of hello's spellings.
func isHello(name []byte) bool {
	return string(name) == "hello" || string(name) == "isMaster" || string(name) == "ismaster"
}

// User is the login's user name.
func (s *session) User() string { return s.user }

// Route is where the login leads.
func (s *session) Route() workspace.Route { return s.route }

// Refuse ends the login with the reason, which answers its first command.
func (s *session) Refuse(r protocols.Reason) {
	s.lastWords(&s.first, reasonFailure(r, s.route.Live))
}

// Connect takes a backend, and tells the client that it is authenticated where
// that waited. A first command is the relay's.
func (s *session) Connect(ctx context.Context) (protocols.Relay, error) {
	b, err := s.protocol.take(ctx, s.route)
	if err != nil {
		s.lastWords(&s.first, workspaceUnreachable(s.route.Live))
		return nil, err
	}
	if s.welcome != nil {
		if err := s.reply(&s.first, s.welcome); err != nil {
			s.protocol.give(s.route, b)
			return nil, err
		}
		if !s.first.packed {
			s.in.Discard(int(s.first.length))
		}
	}
	return newRelay(s, b), nil
}
