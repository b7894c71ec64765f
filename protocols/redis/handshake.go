package redis

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// What a client may send before it is authenticated. The first two are Redis's
// own bounds; the others bound what a stranger who doesn't read his replies
// makes the proxy hold and do (CVE-2025-21605).
const (
	maxStartupArgs     = 10
	maxStartupBulk     = 16 << 10
	maxStartupBytes    = 32 << 10
	maxStartupCommands = 32
	maxFailures        = 3
)

// startup is a client before it is authenticated.
type startup struct {
	protocol  *Protocol
	conn      *tls.Conn
	buf       []byte // read and not yet understood
	read      int    // in all
	failures  int
	name      string // of CLIENT SETNAME
	library   []byte // commands that tell the server of it (CLIENT SETINFO)
	libraries int32  // of them
	user      string
	hello     hello
	login     workspace.Login
}

// session is an authenticated client that does not know it yet.
type session struct {
	protocol *Protocol
	startup  *startup
	route    workspace.Route
}

// Handshake upgrades to TLS and authenticates.
func (p *Protocol) Handshake(ctx context.Context, conn net.Conn) (protocols.Session, error) {
	secured, err := p.secure(ctx, conn)
	if err != nil {
		return nil, err
	}
	st := &startup{protocol: p, conn: secured}
	if err := st.authenticate(ctx); err != nil {
		return nil, err
	}
	p.guard.Succeeded(conn.RemoteAddr())
	return &session{protocol: p, startup: st, route: st.login.Route}, nil
}

// authenticate answers commands until one of them is a login.
func (st *startup) authenticate(ctx context.Context) error {
	for range maxStartupCommands {
		args, err := st.next()
		if err != nil {
			return err
		}
		if len(args) == 0 {
			continue
		}
		done, err := st.answer(ctx, args)
		if done || err != nil {
			return err
		}
	}
	return say(st.conn, errTooMuch)
}

// next reads one command. Its arguments are copies.
func (st *startup) next() ([]string, error) {
	for {
		args, size, err := startupCommand(st.buf)
		if err == nil {
			st.buf = st.buf[size:]
			return args, nil
		}
		if bad, ok := errors.AsType[protocolError](err); ok {
			return nil, say(st.conn, failure("-ERR "+bad.Error()))
		}
		if st.read >= maxStartupBytes {
			return nil, say(st.conn, errTooMuch)
		}
		var chunk [4 << 10]byte
		n, err := st.conn.Read(chunk[:min(len(chunk), maxStartupBytes-st.read)])
		st.buf = append(st.buf, chunk[:n]...)
		st.read += n
		if n == 0 && err != nil {
			return nil, fmt.Errorf("read startup: %w", err)
		}
	}
}

// startupCommand parses the command at b[0], or says errShort.
func startupCommand(b []byte) (args []string, size int, err error) {
	if len(b) == 0 {
		return nil, 0, errShort
	}
	if b[0] != '*' {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			return nil, 0, errShort
		}
		words, ok := inline(b[:end])
		if !ok {
			return nil, 0, protocolError("unbalanced quotes in request")
		}
		for _, word := range words {
			args = append(args, string(word))
		}
		return args, end + 1, nil
	}
	n, size, err := commandHeader(b)
	if err != nil {
		return nil, 0, err
	}
	if n > maxStartupArgs {
		return nil, 0, protocolError("unauthenticated multibulk length")
	}
	for range n {
		length, _, err := bulkHeader(b[size:])
		if err != nil {
			return nil, 0, err
		}
		if length > maxStartupBulk {
			return nil, 0, protocolError("unauthenticated bulk length")
		}
		value, step, err := bulk(b[size:])
		if err != nil {
			return nil, 0, err
		}
		args = append(args, string(value))
		size += step
	}
	return args, size, nil
}

// answer does what an unauthenticated client may ask for; done says that it is
// authenticated now.
func (st *startup) answer(ctx context.Context, args []string) (done bool, err error) {
	name := strings.ToLower(args[0])
	switch {
	case name == "auth" && (len(args) == 2 || len(args) == 3):
		user := ""
		if len(args) == 3 {
			user = args[1]
		}
		return st.check(ctx, user, args[len(args)-1])
	case name == "hello":
		return st.answerHello(ctx, args)
	case name == "quit":
		return false, errors.Join(st.reply("+OK"), window.ErrGoodbye)
	case name == "client" && len(args) == 3 && strings.EqualFold(args[1], "setname"):
		st.name = args[2]
		return false, st.reply("+OK")
	case name == "client" && len(args) == 4 && strings.EqualFold(args[1], "setinfo"):
		st.library = appendCommand(st.library, args...)
		st.libraries++
		return false, st.reply("+OK")
	case name == "auth":
		return false, st.reply("-" + wrongArguments(name))
	}
	return false, st.reply(errNoAuth)
}

func (st *startup) answerHello(ctx context.Context, args []string) (done bool, err error) {
	h, bad := parseHello(args)
	switch {
	case bad != "":
		return false, st.reply(bad)
	case !h.auth:
		return false, st.reply(errNoAuthHello)
	}
	st.hello = h
	st.hello.asked = true
	return st.check(ctx, h.user, h.password)
}

// check asks the directory. A failure is delayed, and the last one ends the
// connection.
func (st *startup) check(ctx context.Context, user, password string) (done bool, err error) {
	st.login, err = st.protocol.config.Directory.LoginByPassword(ctx, workspace.Redis, loginName(user), password)
	if err != nil {
		return false, errors.Join(say(st.conn, errNotNow), err)
	}
	if st.login.Known {
		st.user = user
		return true, nil
	}
	st.protocol.guard.Failed(ctx, st.conn.RemoteAddr())
	if st.failures++; st.failures >= maxFailures {
		return false, say(st.conn, errWrongPass)
	}
	st.hello = hello{}
	return false, st.reply(errWrongPass)
}

// loginName is the user to look for. Clients that have only a password send it
// for Redis's default user.
func loginName(user string) string {
	if user == "default" {
		return ""
	}
	return user
}

func (st *startup) reply(text string) error {
	if _, err := st.conn.Write(append([]byte(text), '\r', '\n')); err != nil {
		return fmt.Errorf("write startup: %w", err)
	}
	return nil
}

// hello is what a HELLO asks for.
type hello struct {
	asked          bool
	version        int // 0: stay
	auth           bool
	user, password string
	named          bool
	name           string
}

// parseHello reads HELLO's arguments; bad is the error to answer.
func parseHello[S ~string | ~[]byte](args []S) (h hello, bad string) {
	if len(args) > 1 {
		version, err := strconv.ParseInt(string(args[1]), 10, 64)
		switch {
		case err != nil:
			return h, "-ERR Protocol version is not an integer or out of range"
		case version != 2 && version != 3:
			return h, errNoProto
		}
		h.version = int(version)
	}
	for i := 2; i < len(args); i++ {
		word, left := string(args[i]), len(args)-i-1
		switch {
		case strings.EqualFold(word, "auth") && left >= 2:
			h.auth, h.user, h.password = true, string(args[i+1]), string(args[i+2])
			i += 2
		case strings.EqualFold(word, "setname") && left >= 1:
			h.named, h.name = true, string(args[i+1])
			i++
		default:
			return h, fmt.Sprintf("-ERR Syntax error in HELLO option '%.40s'", printableText(word))
		}
	}
	return h, ""
}

// printableText is s without what would break a reply's line.
func printableText(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return '?'
		}
		return c
	}, s)
}

// fails says whether the server refuses it for its name, after the login and
// before the version.
func (h *hello) fails() bool {
	return h.named && strings.ContainsFunc(h.name, func(c rune) bool { return c < '!' || c > '~' })
}

// append encodes the HELLO without its login.
func (h *hello) append(dst []byte) []byte {
	args := []string{"HELLO"}
	if h.version != 0 {
		args = append(args, strconv.Itoa(h.version))
	}
	if h.named {
		args = append(args, "SETNAME", h.name)
	}
	return appendCommand(dst, args...)
}

// User is the login's user name.
func (s *session) User() string { return s.startup.user }

// Route is where the login leads.
func (s *session) Route() workspace.Route { return s.route }

// Refuse ends the login with the reason.
func (s *session) Refuse(r protocols.Reason) {
	_ = say(s.startup.conn, reasonFailure(r, s.route.Live))
}

// Connect takes a backend and tells the client that it is ready: by +OK, or by
// the server's own answer to the HELLO.
func (s *session) Connect(ctx context.Context) (protocols.Relay, error) {
	p, st := s.protocol, s.startup
	b, err := p.take(ctx, s.route)
	if err != nil {
		return nil, errors.Join(say(st.conn, unreachable(s.route.Live)), err)
	}
	r := &relay{
		protocol: p,
		route:    s.route,
		live:     s.route.Live,
		space:    p.space(s.route.Live.ID),
		channels: newChannels(s.route.Database),
		front:    st.conn,
		rest:     st.buf,
		back:     b,
		log:      p.config.Log,
		since:    time.Now(),
	}
	r.life.Begin(&r.mu, r.front, b.conn)
	var first []byte
	if st.name != "" {
		first = appendCommand(first, "CLIENT", "SETNAME", st.name)
		r.owed.push(reply{kind: swallowed, n: 1})
	}
	if len(st.library) > 0 {
		first = append(first, st.library...)
		b.informed = true
		r.owed.push(reply{kind: swallowed, n: st.libraries})
	}
	if st.hello.asked {
		first = st.hello.append(first)
		r.track.resp3 = st.hello.version == 3 && !st.hello.fails()
		r.owed.push(reply{kind: greeted, n: 1, text: strconv.Itoa(st.hello.version)})
	} else if err := st.reply("+OK"); err != nil {
		p.give(s.route, b, false)
		return nil, fmt.Errorf("greet frontend: %w", err)
	}
	if len(first) > 0 {
		if _, err := b.conn.Write(first); err != nil {
			b.Close()
			return nil, errors.Join(say(st.conn, unreachable(s.route.Live)), err)
		}
	}
	return r, nil
}
