package redis

import (
	"errors"
	"strconv"
	"strings"
	"time"

	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// What a client is told of clients is its own session as it knows it: its
// address at the proxy, the proxy's listener, its login, database 0. The server
// knows another address, another user and another database, which are nobody's
// business, and what it has of the session beyond that is true: its id, its name
// and library, the version of the protocol. See
// https://redis.io/docs/latest/commands/client-list/.

// ownSession is what CLIENT LIST and CLIENT KILL choose a session by.
type ownSession struct {
	id          int64
	addr, laddr string
	user        string
	age         int64 // seconds
	pubsub      bool
}

// own is the session, for who holds mu.
func (r *relay) own() ownSession {
	return ownSession{
		id:     r.back.id,
		addr:   r.front.RemoteAddr().String(),
		laddr:  r.front.LocalAddr().String(),
		user:   r.live.Name,
		age:    int64(time.Since(r.since) / time.Second),
		pubsub: r.replies.heard.listens(),
	}
}

// sight is a look of the client at its own session: CLIENT INFO or CLIENT LIST.
type sight struct {
	command string       // as the line has it: "client|info"
	chosen  clientFilter // of CLIENT LIST
	mode    trackingMode // when it was asked
}

// translate makes the server's line of CLIENT INFO the client's own.
func (s *sight) translate(r *relay, b []byte, pos int) (done bool, size, need, limit int, err error) {
	if b[pos] != '$' && b[pos] != '=' {
		return false, 0, 0, 0, nil
	}
	n, head, err := header(b[pos:])
	switch {
	case errors.Is(err, errShort):
		return true, 0, 0, maxHeld, err
	case err != nil || n < 0 || n > maxHeld:
		return true, 0, 0, 0, errReply
	}
	size = head + int(n) + len("\r\n")
	if len(b) < pos+size {
		return true, 0, size, 2 * maxHeld, errShort
	}
	line, format := string(b[pos+head:pos+size-len("\r\n")]), ""
	if b[pos] == '=' {
		format = "txt:"
	}
	if s.chosen.has(r.own()) {
		line = s.line(r, strings.TrimPrefix(line, format))
	} else {
		line = ""
	}
	r.replies.put(b, pos, size, appendBulkOf(nil, b[pos], format+line)...)
	r.valueDone()
	return true, size, 0, 0, nil
}

// line is the server's line of the session as the client knows it.
func (s *sight) line(r *relay, server string) string {
	// A path of a socket may have any character, and no field after it does.
	from, to := strings.Index(server, " addr="), strings.LastIndex(server, " fd=")
	if from < 0 || to < from {
		return "" // nothing is better than somebody else's
	}
	own := r.own()
	out := []byte(server[:from] + " addr=" + own.addr + " laddr=" + own.laddr)
	for field := range strings.SplitSeq(strings.TrimSuffix(server[to+1:], "\n"), " ") {
		name, value, _ := strings.Cut(field, "=")
		out = append(append(append(out, ' '), name...), '=')
		out = append(out, s.value(r, own, name, value)...)
	}
	return string(append(out, '\n'))
}

// value is one field of the line.
func (s *sight) value(r *relay, own ownSession, name, value string) string {
	replies := &r.replies
	switch name {
	case "age":
		return strconv.FormatInt(own.age, 10)
	case "flags":
		return s.flags(own, value)
	case "db":
		return "0"
	case "psub":
		return strconv.Itoa(len(replies.heard.patterns))
	case "multi":
		queued, err := strconv.Atoi(value)
		if err != nil || queued < 0 {
			return value
		}
		return strconv.Itoa(queued - hiddenIn(replies.shape))
	case "cmd":
		return s.command
	case "user":
		return own.user
	case "redir":
		if s.mode.on {
			return strconv.FormatInt(s.mode.redirect, 10)
		}
	}
	return value
}

// flags are the server's without what the proxy did: the socket that it is
// connected by, and what it listens to for tracking, which is the client's.
func (s *sight) flags(own ownSession, server string) string {
	server = strings.NewReplacer("U", "", "N", "").Replace(server)
	if !own.pubsub {
		server = strings.ReplaceAll(server, "P", "")
	}
	if s.mode.on {
		tracking := "t"
		if s.mode.broken {
			tracking += "R"
		}
		if s.mode.bcast {
			tracking += "B"
		}
		rest := strings.TrimLeft(server, "Pxb") // come before it
		server = server[:len(server)-len(rest)] + tracking + rest
	}
	if server == "" {
		return "N"
	}
	return server
}

// hiddenIn is how many elements of an EXEC the client does not see.
func hiddenIn(shape []bool) int {
	n := 0
	for _, hidden := range shape {
		if hidden {
			n++
		}
	}
	return n
}

// describeClient shows the client its own session, where it is among those that
// chosen has.
func (r *relay) describeClient(b []byte, q *request, sub string, chosen clientFilter) error {
	t := &r.track
	t.oweTranslated(&sight{command: "client|" + sub, chosen: chosen, mode: r.trackingNow()}, nil)
	t.instead(b, q, appendCommand(nil, "CLIENT", "INFO")...)
	return nil
}

// decideClientList answers CLIENT LIST with the own session, where the client
// asked for it.
func (r *relay) decideClientList(b []byte, q *request) error {
	chosen, bad := parseClientList(q.args)
	if bad != "" {
		r.track.refuse(b, q, bad)
		return nil
	}
	return r.describeClient(b, q, "list", chosen)
}

// decideClientKill ends the own session where the client asked for that. There
// is no other to end.
func (r *relay) decideClientKill(b []byte, q *request) error {
	t := &r.track
	if q.n < 3 {
		return r.pass(q) // an error
	}
	chosen, bad := parseClientKill(q.args, r.live.Name)
	if bad != "" {
		t.refuse(b, q, bad)
		return nil
	}
	if err := r.inTurn(b, q); err != nil { // it may be chosen by what it listens to
		return err
	}
	r.mu.Lock()
	hit := chosen.has(r.own())
	r.mu.Unlock()
	old := q.n == 3
	switch {
	case !hit && old:
		t.refuse(b, q, "ERR No such client")
		return nil
	case !hit:
		t.tell(b, q, ":0")
		return nil
	case old:
		t.tell(b, q, "+OK")
	default:
		t.tell(b, q, ":1")
	}
	return window.ErrGoodbye
}

// decideClientUnblock unblocks nobody: the own session is not blocked while it
// asks, and the others are not the client's.
func (r *relay) decideClientUnblock(b []byte, q *request) error {
	t := &r.track
	switch {
	case q.n != 3 && q.n != 4:
		return r.pass(q) // an error
	case q.n == 4 && !is(q.args[3], "timeout") && !is(q.args[3], "error"):
		t.refuse(b, q, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
	case !isInteger(q.args[2]):
		t.refuse(b, q, errNotInteger)
	default:
		t.tell(b, q, ":0")
	}
	return nil
}

func isInteger(arg []byte) bool {
	_, err := strconv.ParseInt(string(arg), 10, 64)
	return err == nil
}
