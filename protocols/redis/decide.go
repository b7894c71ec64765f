package redis

import (
	"errors"
	"slices"

	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// look makes the first n arguments of the command visible, all of them where n
// is -1 or above their count. It asks for errShort's more bytes by need. ok is
// false where the command was refused for being too long to be held.
func (r *relay) look(b []byte, q *request, n int) (need int, err error) {
	if n < 0 || n > q.n {
		n = q.n
	}
	if len(q.args) >= n {
		return 0, nil
	}
	args, size, err := arguments(q.args, b[q.start+q.size:], n-len(q.args))
	if errors.Is(err, errShort) {
		return q.size + size, err
	}
	if err != nil {
		return 0, err
	}
	q.args = args
	r.track.view = args
	q.size += size
	return 0, nil
}

// decide does with the command at q what the table says of c. It gives errShort
// and the bytes needed where it has to see more of it.
func (r *relay) decide(b []byte, q *request, c *command) (need int, err error) {
	t := &r.track
	if c.act == subs {
		if q.n < 2 {
			return 0, r.pass(q)
		}
		if need, err := r.look(b, q, 2); err != nil {
			return need, err
		}
		var buf [maxName]byte
		name, _ := lower(&buf, q.args[1])
		sub := c.sub[string(name)]
		if sub == nil || sub.name == "" {
			sub = c.sub[""]
		}
		if sub.act == special {
			return r.decideSub(b, q, c.name, sub)
		}
		c = sub
	}
	if t.multi && c.noMulti {
		t.refuse(b, q, errInMulti)
		return 0, nil
	}
	switch c.act {
	case refuse:
		t.refuse(b, q, c.text)
		return 0, nil
	case special:
		return r.decideSpecial(b, q, c)
	}
	if c.blocks {
		t.waits = true
	}
	if c.creates == createsNone || t.rules == nil {
		return 0, r.pass(q)
	}
	return r.keep(b, q, c)
}

// pass hands on a command that is answered with one reply.
func (r *relay) pass(q *request) error {
	t := &r.track
	if t.multi {
		t.tx.element(false)
	}
	t.owe(reply{kind: passed})
	t.take(q)
	return nil
}

// put hands on bytes in the place of what was looked at of a command that is
// answered with one reply.
func (r *relay) put(b []byte, q *request, bytes ...byte) error {
	if err := r.pass(q); err != nil {
		return err
	}
	r.track.instead(b, q, bytes...)
	return nil
}

// statusOK is a command that answers +OK and changes nothing. Valkey refuses it
// in MULTI, where UNWATCH does the same, since EXEC watches nothing any more.
const statusOK = "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$2\r\nON\r\n"

// decideSpecial is decide for the rows that have a rule of their own.
func (r *relay) decideSpecial(b []byte, q *request, c *command) (need int, err error) {
	t := &r.track
	switch c.name {
	case "set":
		return r.decideSet(b, q, c)
	case "eval", "evalsha", "eval_ro", "evalsha_ro":
		return r.decideScript(b, q, c)
	case "multi", "exec", "discard", "watch", "unwatch":
		return 0, r.decideTransaction(b, q, c.name)
	}
	n := -1
	if c.name == "publish" || c.name == "spublish" {
		n = 2
	}
	if need, err := r.look(b, q, n); err != nil {
		return need, err
	}
	switch c.name {
	case "subscribe", "ssubscribe", "unsubscribe", "sunsubscribe":
		r.subscribe(b, q, c.name)
	case "psubscribe":
		r.subscribePatterns(b, q)
	case "punsubscribe":
		r.unsubscribePatterns(b, q)
	case "publish", "spublish":
		if q.n != 3 {
			return 0, r.pass(q)
		}
		r.publish(b, q, c.name)
	case "keys", "scan", "hscan", "sscan", "zscan":
		return 0, r.decidePattern(b, q, c.name)
	case "select":
		switch {
		case q.n != 2:
			return 0, r.pass(q)
		case string(q.args[1]) != "0":
			t.refuse(b, q, errOtherDatabase)
			return 0, nil
		}
		if t.multi {
			return 0, r.put(b, q, unwatchCommand...)
		}
		return 0, r.put(b, q, []byte(statusOK)...)
	case "flushall", "flushdb":
		return 0, r.flushKeys(b, q)
	case "copy":
		if r.route.Reads() {
			return 0, r.pass(q) // refused, as a script in its place would be in other words
		}
		return r.decideCopy(b, q, c)
	case "auth":
		return 0, r.decideAuth(b, q)
	case "hello":
		return 0, r.decideHello(b, q)
	case "info":
		return 0, r.decideInfo(b, q)
	case "role":
		t.tell(b, q, "*3\r\n$6\r\nmaster\r\n:0\r\n*0")
	case "reset":
		r.reset(b, q)
	case "quit":
		t.tell(b, q, "+OK")
		return 0, window.ErrGoodbye
	}
	return 0, nil
}

// decidePattern bounds the patterns that the server matches with all keys
// (CVE-2024-31228).
func (r *relay) decidePattern(b []byte, q *request, name string) error {
	for i, arg := range q.args {
		given := name == "keys" && i == 1 || name != "keys" && i > 1 && is(q.args[i-1], "match")
		if given && len(arg) > maxPattern {
			r.track.refuse(b, q, errLongPattern)
			return nil
		}
	}
	return r.pass(q)
}

// decideSub is decide for special subcommands.
func (r *relay) decideSub(b []byte, q *request, name string, sub *command) (need int, err error) {
	t := &r.track
	need, err = r.look(b, q, -1)
	if name == "script" && t.rules == nil && errors.Is(err, errShort) && need > maxHeld {
		return 0, r.pass(q)
	}
	if err != nil {
		return need, err
	}
	if t.multi && sub.noMulti {
		t.refuse(b, q, errInMulti)
		return 0, nil
	}
	switch name + " " + sub.name {
	case "acl whoami":
		if q.n != 2 {
			return 0, r.pass(q)
		}
		return 0, r.put(b, q, appendCommand(nil, "ECHO", r.live.Name)...)
	case "client info":
		if q.n != 2 {
			return 0, r.pass(q)
		}
		return 0, r.describeClient(b, q, sub.name, clientFilter{})
	case "client list":
		return 0, r.decideClientList(b, q)
	case "client kill":
		return 0, r.decideClientKill(b, q)
	case "client unblock":
		return 0, r.decideClientUnblock(b, q)
	case "client setinfo":
		r.back.informed = true
		return 0, r.pass(q)
	case "client no-touch":
		t.lasting = true
		return 0, r.pass(q)
	case "client reply":
		return 0, r.decideReply(b, q)
	case "client tracking", "client caching", "client getredir", "client trackinginfo":
		return 0, r.decideTracking(b, q, sub.name)
	case "script exists", "script load":
		return 0, r.decideScriptCache(b, q, sub.name)
	}
	return 0, r.decidePubsub(b, q, sub.name)
}

// decideReply turns replies off and on. The server never hears of it, so that
// the proxy sees them all.
func (r *relay) decideReply(b []byte, q *request) error {
	t := &r.track
	switch {
	case q.n != 3:
		return r.pass(q)
	case is(q.args[2], "on"):
		t.muted, t.muteNext = false, 0
		return r.pass(q)
	case t.multi:
		t.refuse(b, q, errInMulti)
	case is(q.args[2], "off"):
		t.muted = true
		return r.put(b, q, []byte(statusOK)...)
	case is(q.args[2], "skip"):
		t.muteNext = 2
		return r.put(b, q, []byte(statusOK)...)
	default:
		t.refuse(b, q, errSyntax)
	}
	return nil
}

// decideTransaction follows the client's transaction.
func (r *relay) decideTransaction(b []byte, q *request, name string) error {
	t := &r.track
	if name == "watch" && !t.multi {
		t.watching = true
	}
	if name == "unwatch" && t.multi {
		return r.pass(q)
	}
	switch {
	case q.n != 1 && name != "watch":
		// Redis refuses it, and fails the transaction.
	case name == "unwatch":
		t.watching = false
	case name == "multi":
		if !t.multi {
			t.multi, t.tx = true, transaction{}
		}
	case !t.multi:
		// Redis refuses EXEC and DISCARD, and goes on to watch.
	case name == "discard":
		t.tx.settle()
		t.multi, t.watching, t.tx = false, false, transaction{}
	case name == "exec":
		return r.exec(b, q)
	}
	t.owe(reply{kind: passed})
	t.take(q)
	return nil
}

// exec ends a transaction, for which max_keys is decided as a whole.
func (r *relay) exec(b []byte, q *request) error {
	t := &r.track
	tx := t.tx
	t.multi, t.watching, t.tx = false, false, transaction{}
	owed := reply{kind: passed}
	if tx.hidden != nil || tx.translations != nil {
		owed = reply{kind: executed, shape: tx.hidden, translations: tx.translations}
	}
	owed.claim = tx.held
	if len(tx.keys)+tx.moves > 0 && t.rules != nil && t.rules.maxKeys > 0 {
		c, err := r.claim(b, q, tx.keys, int64(tx.moves), 0, false)
		if err != nil {
			tx.settle()
			text := keysFailure(err, r.live, t.rules.maxKeys)
			t.owe(reply{kind: replaced, text: "-EXECABORT Transaction discarded because of: " + text[len("ERR "):]})
			t.instead(b, q, discardCommand...)
			return nil
		}
		c.next, owed.claim = tx.held, c
	}
	t.owe(owed)
	t.take(q)
	return nil
}

// unknown decides on a command that the table does not have, by what the
// server says of it. One that the server does not know either passes, so that
// the server says so.
func (r *relay) unknown(b []byte, q *request, name []byte) (need int, err error) {
	c, err := r.protocol.judged(r, string(name))
	if err != nil {
		r.log.Warn("unknown command not judged", "workspace", r.live.Name, "error", err)
		r.track.refuse(b, q, errUnjudged)
		return 0, nil
	}
	return r.decide(b, q, c)
}

// judge makes a row for a command from its entry in COMMAND INFO: it passes
// where all that it can reach is the keys that it names, by their places.
func judge(name string, info any) *command {
	row, ok := info.([]any)
	if !ok {
		return &command{name: name, act: pass} // unknown to the server
	}
	refused := &command{name: name, act: refuse, text: errUnjudged}
	if len(row) < 7 {
		return refused
	}
	flags, _ := row[2].([]any)
	categories, _ := row[6].([]any)
	first, _ := row[3].(int64)
	bad := []any{"admin", "pubsub", "noscript", "movablekeys", "no_auth", "blocking",
		"@admin", "@dangerous", "@connection", "@scripting", "@transaction", "@pubsub"}
	for _, v := range slices.Concat(flags, categories) {
		if slices.Contains(bad, v) {
			return refused
		}
	}
	reads, writes := slices.Contains(flags, any("readonly")), slices.Contains(flags, any("write"))
	switch {
	case first < 1 || reads == writes:
		return refused
	case reads || !slices.Contains(flags, any("denyoom")):
		return &command{name: name, act: pass}
	case first != 1 || row[4] != int64(1):
		return refused // it may make keys, and not only the first
	}
	return &command{name: name, act: pass, creates: createsFirst}
}
