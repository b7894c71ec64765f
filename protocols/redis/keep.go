package redis

import (
	"bytes"
	"errors"
	"slices"

	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// keep hands on a command that may make keys, as the workspace's settings for
// keys ask.
func (r *relay) keep(b []byte, q *request, c *command) (need int, err error) {
	keys, need, err := r.keysOf(b, q, c)
	if c.creates == createsPairs && errors.Is(err, errShort) && need > maxHeld {
		return 0, r.sendLongMset(b, q, c.name == "msetnx")
	}
	if err != nil {
		return need, err
	}
	if len(keys) == 0 {
		return 0, r.pass(q) // it makes none, or the server refuses it
	}
	exists, need, err := r.mustExist(b, q, c)
	if err != nil {
		return need, err
	}
	if exists {
		row := *c
		row.updates = true
		c = &row
	}
	return 0, r.send(b, q, c, keys)
}

// mustExist says whether options of the command keep it from making its key.
// They come before a first argument that is none.
func (r *relay) mustExist(b []byte, q *request, c *command) (exists bool, need int, err error) {
	word, others := "xx", []string{"nx", "gt", "lt", "ch", "incr"}
	switch c.name {
	case "zadd", "geoadd":
	case "xadd":
		word, others = "nomkstream", []string{"keepref", "delref", "acked", "maxlen", "minid", "limit", "=", "~"}
	default:
		return false, 0, nil
	}
	valued := false
	for i := 2; i < q.n; i++ {
		if need, err := r.look(b, q, i+1); err != nil {
			return false, need, err
		}
		arg := q.args[i]
		option := slices.ContainsFunc(others, func(other string) bool { return is(arg, other) })
		switch {
		case is(arg, word):
			return true, 0, nil
		case option:
			valued = is(arg, "maxlen") || is(arg, "minid") || is(arg, "limit") || valued && (is(arg, "=") || is(arg, "~"))
		case valued:
			valued = false
		default:
			return false, 0, nil
		}
	}
	return false, 0, nil
}

// keysOf are the keys that the command may make. They are part of b.
func (r *relay) keysOf(b []byte, q *request, c *command) (keys [][]byte, need int, err error) {
	n := map[creation]int{createsFirst: 2, createsSecond: 3}[c.creates]
	if n == 0 {
		n = -1
	}
	if need, err := r.look(b, q, n); err != nil {
		return nil, need, err
	}
	if len(q.args) < n {
		return nil, 0, nil
	}
	switch c.creates {
	case createsFirst:
		return q.args[1:2], 0, nil
	case createsSecond:
		return q.args[2:3], 0, nil
	case createsPairs:
		for i := 1; i < len(q.args); i += 2 {
			keys = append(keys, q.args[i])
		}
	case createsCounted:
		if q.n < 2 {
			return nil, 0, nil
		}
		count, ok := number(q.args[1])
		if !ok || count < 0 || count > int64(q.n-2)/2 {
			return nil, 0, nil // the server refuses it
		}
		for i := range int(count) {
			keys = append(keys, q.args[2+2*i])
		}
	case createsOption:
		keys = storedKey(q.args, c.options)
	case createsGroup:
		for _, arg := range q.args[min(5, len(q.args)):] {
			if is(arg, "mkstream") {
				keys = q.args[2:3]
			}
		}
	}
	return keys, 0, nil
}

// storedKey is the key behind the last STORE or STOREDIST among the options of
// SORT, GEORADIUS and GEORADIUSBYMEMBER, which begin at from. Other options have
// values that may be the same word.
func storedKey(args [][]byte, from int) (keys [][]byte) {
	for i := from; i+1 < len(args); i++ {
		switch option := args[i]; {
		case is(option, "store"), is(option, "storedist"):
			keys = args[i+1 : i+2]
			i++
		case is(option, "by"), is(option, "get"), is(option, "count"):
			i++
		case is(option, "limit"):
			i += 2
		}
	}
	return keys
}

// send hands on a command that may make keys: it claims their places, and puts
// it between the hidden commands that give them their expiry.
func (r *relay) send(b []byte, q *request, c *command, keys [][]byte) error {
	t := &r.track
	named := keys
	keys = distinct(keys)
	held, ok, err := r.admit(b, q, c, keys)
	if err != nil || !ok {
		return err
	}
	ttls, expires := r.ttls(keys)
	if c.blocks && !t.multi && expires {
		r.sendMove(b, q, keys, ttls, held)
		return nil
	}
	expires = expires && !c.timed && !(c.creates == createsCounted && givesExpiry(q.args[2+2*len(named):]))
	h := hidden{}
	if expires {
		h = hiddenFor(keys, ttls)
	}
	r.owe(&h, held, expires)
	if expires {
		t.cut(b, q.start)
		t.out = append(t.out, h.before...)
		t.suffix = append(t.suffix, h.behind...)
	}
	t.take(q)
	return nil
}

// admit claims the places of keys for c where max_keys is set. ok is false
// where the command was refused.
func (r *relay) admit(b []byte, q *request, c *command, keys [][]byte) (held *claim, ok bool, err error) {
	t := &r.track
	if t.rules.maxKeys == 0 || c.updates {
		return nil, true, nil
	}
	if t.multi {
		ok = true
		if c.moves {
			t.tx.moves++
		} else {
			ok = t.tx.claim(keys)
		}
		if !ok {
			t.refuse(b, q, errTooLong)
		}
		return nil, ok, nil
	}
	moves := int64(0)
	if c.moves {
		keys, moves = nil, 1
	}
	held, err = r.claim(b, q, keys, moves, 0, c.blocks)
	if err != nil {
		return nil, false, r.refuseKeys(b, q, err)
	}
	return held, true, nil
}

// owe notes the replies of a command and of the hidden ones around it, and puts
// these into a transaction where they need one: inside of the client's own they
// have it, and where the client watches keys EXEC would end that.
func (r *relay) owe(h *hidden, held *claim, expires bool) {
	t := &r.track
	switch {
	case !expires:
		if t.multi {
			t.tx.element(false)
		}
		t.owe(reply{kind: passed, claim: held})
	case t.multi, t.watching:
		if t.multi {
			t.tx.element(true)
			t.tx.element(false)
			t.tx.element(true)
		}
		t.owe(reply{kind: swallowed})
		t.owe(reply{kind: passed, claim: held})
		t.owe(reply{kind: swallowed})
	default:
		h.before = append(bytes.Clone(multiCommand), h.before...)
		h.behind = append(h.behind, execCommand...)
		t.owe(reply{kind: swallowed, n: 2})
		t.owe(reply{kind: queued})
		t.owe(reply{kind: swallowed})
		t.owe(reply{kind: wrapped, claim: held})
	}
}

// ttls are the seconds for each of keys; expires says that there are any.
func (r *relay) ttls(keys [][]byte) (ttls []int64, expires bool) {
	for _, key := range keys {
		ttl := r.track.rules.ttl(key)
		expires = expires || ttl > 0
		ttls = append(ttls, ttl)
	}
	return ttls, expires
}

// claim claims the places of keys, of as many that are moved, and of as many that
// nobody saw, or errFull.
// What was sent before it goes out first where that has to wait.
func (r *relay) claim(b []byte, q *request, keys [][]byte, moves, unseen int64, blocks bool) (*claim, error) {
	keys = distinct(keys)
	held := &claim{gate: &r.space.gate, keys: int64(len(keys)) + moves + unseen, moves: moves, unseen: unseen, parked: blocks || r.waiting()}
	if r.space.gate.take(r.track.settings, held) {
		return held, nil
	}
	return held, r.ask(b, q, func() error {
		return r.space.gate.claim(r, r.track.settings, held, keys)
	})
}

// claimShare claims room for the keys that a script makes, named of which it
// names.
func (r *relay) claimShare(b []byte, q *request, named int64) (*claim, error) {
	held := &claim{gate: &r.space.gate, parked: r.waiting()}
	if r.space.gate.takeShare(r.track.settings, held, named) {
		return held, nil
	}
	return held, r.ask(b, q, func() error {
		return r.space.gate.share(r, r.track.settings, held, named)
	})
}

// ask sends what came before q, and then lets question ask the server.
func (r *relay) ask(b []byte, q *request, question func() error) error {
	if err := r.flush(b, q.start); err != nil {
		return err
	}
	return question()
}

// waiting says whether the session has a command at the server that may wait
// for others, so that what comes behind it may, too.
func (r *relay) waiting() bool {
	t := &r.track
	if !t.waits {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t.waits = r.owed.n > 0 || len(t.owing) > 0
	return t.waits
}

// refuseKeys tells the client that a write would add a key, or that nobody knows.
func (r *relay) refuseKeys(b []byte, q *request, err error) error {
	t := &r.track
	if _, lost := errors.AsType[*window.BackendWriteError](err); lost {
		return err
	}
	if !errors.Is(err, errFull) {
		r.log.Warn("keys not counted", "workspace", r.live.Name, "error", err)
	}
	t.refuse(b, q, keysFailure(err, r.live, t.rules.maxKeys))
	return nil
}

// distinct is keys without repetitions.
func distinct(keys [][]byte) [][]byte {
	if len(keys) < 2 {
		return keys
	}
	seen := make(map[string]struct{}, len(keys))
	var once [][]byte
	for _, key := range keys {
		if _, known := seen[string(key)]; !known {
			seen[string(key)] = struct{}{}
			once = append(once, key)
		}
	}
	return once
}

// claim notes the keys of a queued command; false where they are too many.
func (t *transaction) claim(keys [][]byte) bool {
	for _, key := range keys {
		if t.bytes += len(key) + 16; t.bytes > maxHeld {
			return false
		}
		t.keys = append(t.keys, bytes.Clone(key))
	}
	return true
}

// decideCopy runs COPY as a script: a role may not name another database.
func (r *relay) decideCopy(b []byte, q *request, c *command) (need int, err error) {
	t := &r.track
	replace := "0"
	for i := 3; i < q.n; i++ {
		switch {
		case is(q.args[i], "replace"):
			replace = "1"
		case is(q.args[i], "db") && i+1 < q.n:
			i++
			if string(q.args[i]) != "0" {
				t.refuse(b, q, errOtherDatabase)
				return 0, nil
			}
		default:
			t.refuse(b, q, errSyntax)
			return 0, nil
		}
	}
	if q.n < 3 {
		t.refuse(b, q, wrongArguments(c.name))
		return 0, nil
	}
	out := appendCommand(nil, "EVAL", copyKey, "2", string(q.args[1]), string(q.args[2]), replace)
	keys := q.args[2:3]
	if t.rules == nil {
		return 0, r.put(b, q, out...)
	}
	held, ok, err := r.admit(b, q, &command{name: c.name, creates: createsSecond}, keys)
	if err != nil || !ok {
		return 0, err
	}
	ttls, expires := r.ttls(keys)
	h := hidden{}
	if expires {
		h = hiddenFor(keys, ttls)
	}
	r.owe(&h, held, expires)
	t.instead(b, q, append(append(h.before, out...), h.behind...)...)
	return 0, nil
}
