package redis

import (
	"bytes"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/redcon"
)

// A script may make keys that it does not name, and only what runs beside it in
// the server can see them. So where a workspace has settings for keys, a script
// is sent with one line in front of its own first one, which gives it a redis
// whose call and pcall see to the keys (script.lua). The client knows the script
// by the hash of its own text: EVALSHA, SCRIPT LOAD, SCRIPT EXISTS and the errors
// of scripts are translated.
//
//go:embed script.lua
var scriptSource string

// maxScripts bounds the scripts that are remembered of a workspace. Of one that
// was forgotten the client hears NOSCRIPT, as after a restart of the server.
const maxScripts = 4096

// scriptPrologue is what stands in front of scripts, in one line.
func scriptPrologue(t commands) string {
	var lines []string
	for line := range strings.Lines(scriptSource) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
			lines = append(lines, line)
		}
	}
	return strings.NewReplacer("@makes@", scriptMakes(t), "@mark@", unexpired).Replace(strings.Join(lines, " ")) + ";"
}

// scriptMakes lists the commands of the table that may make keys, with a letter
// for where they name them, and those that name a channel.
func scriptMakes(t commands) string {
	letters := map[creation]string{createsFirst: "1", createsSecond: "2", createsPairs: "p", createsCounted: "c", createsOption: "o"}
	rows := []string{"set=1", "xgroup=g", "publish=h", "spublish=h"}
	for name, c := range t {
		letter := letters[c.creates]
		switch {
		case c.timed:
			letter = "t"
		case c.moves:
			letter = "m"
		}
		if letter != "" {
			rows = append(rows, name+"="+letter)
		}
	}
	slices.Sort(rows)
	return " " + strings.Join(rows, " ") + " "
}

// scriptName is a script by two hashes: of what the client sent, and of what the
// server got.
type scriptName struct {
	client, server string
	publishes      bool
	loaded         bool // the reply is the hash, of SCRIPT LOAD
}

// scripts are those that a workspace's clients have sent.
type scripts struct {
	mu      sync.Mutex
	known   map[string]*scriptName // by the client's hash
	publish bool                   // one of them publishes
}

// note remembers a script.
func (s *scripts) note(n *scriptName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || len(s.known) >= maxScripts {
		s.known = make(map[string]*scriptName)
	}
	s.known[n.client] = n
	s.publish = s.publish || n.publishes
}

// anyPublishes says whether any script that was sent does.
func (s *scripts) anyPublishes() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.publish
}

// unknownScript is the hash of no script that is sent to a server, so that the
// server itself says NOSCRIPT.
const unknownScript = "ffffffffffffffffffffffffffffffffffffffff"

// find gives the script with the client's hash, which may be in capitals.
func (s *scripts) find(client []byte) *scriptName {
	var folded [2 * sha1.Size]byte
	if len(client) != len(folded) {
		return nil
	}
	for i, c := range client {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		folded[i] = c
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[string(folded[:])]
}

// serverHash is what the server knows the script by whose hash the client sent.
func (r *relay) serverHash(client []byte) string {
	n := r.space.scripts.find(client)
	switch {
	case n != nil && (n.publishes || r.track.rules != nil):
		return n.server
	case r.track.rules != nil:
		return unknownScript
	}
	return string(client)
}

// publishes says whether the script may publish: whether its text has the word,
// in any of the ways that people write it.
func publishes(text []byte) bool {
	return bytes.Contains(text, []byte("ublish")) || bytes.Contains(text, []byte("UBLISH"))
}

func sha(text []byte) string {
	sum := sha1.Sum(text)
	return hex.EncodeToString(sum[:])
}

// wrap gives the script as the server gets it.
func (r *relay) wrap(text []byte) (wrapped []byte, name *scriptName) {
	name = &scriptName{client: sha(text), publishes: publishes(text)}
	head := 0
	if bytes.HasPrefix(text, []byte("#!")) {
		head = bytes.IndexByte(text, '\n') + 1
		if head == 0 {
			head = len(text)
		}
	}
	wrapped = append(wrapped, text[:head]...)
	if head == 0 || head < len(text) {
		wrapped = append(wrapped, r.protocol.prologue...)
		wrapped = appendScriptBody(wrapped, text[head:])
	}
	name.server = sha(wrapped)
	r.space.scripts.note(name)
	return wrapped, name
}

// plain says whether a script goes to the server as it is, by the argument that
// is its text, or its hash.
func (r *relay) plain(b []byte, q *request, argument int, byHash bool) (plain bool, need int, err error) {
	if r.track.rules != nil {
		return false, 0, nil
	}
	if byHash && !r.space.scripts.anyPublishes() {
		return true, 0, nil
	}
	need, err = r.look(b, q, argument+1)
	switch {
	case errors.Is(err, errShort) && need > maxHeld:
		return true, 0, nil
	case err != nil:
		return false, need, err
	case byHash:
		n := r.space.scripts.find(q.args[argument])
		return n == nil || !n.publishes, 0, nil
	}
	return !publishes(q.args[argument]), 0, nil
}

// decideScript sends a script so that the workspace's settings reach it, and
// what it publishes its channels.
func (r *relay) decideScript(b []byte, q *request, c *command) (need int, err error) {
	t := &r.track
	if q.n < 3 {
		return 0, r.pass(q)
	}
	byHash := strings.HasPrefix(c.name, "evalsha")
	plain, need, err := r.plain(b, q, 1, byHash)
	if err != nil {
		return need, err
	}
	if plain {
		return 0, r.pass(q)
	}
	if need, err := r.look(b, q, 3); err != nil {
		return need, err
	}
	count, ok := number(q.args[2])
	if !ok || count < 0 || count > int64(q.n-3) {
		return 0, r.pass(q) // the server refuses it
	}
	counts := t.rules != nil && t.rules.maxKeys > 0
	if t.multi && counts {
		if need, err := r.look(b, q, 3+int(count)); err != nil {
			return need, err
		}
	}
	out := redcon.AppendArray(nil, q.n+1)
	out = redcon.AppendBulk(out, q.args[0])
	var name *scriptName
	if byHash {
		name = &scriptName{client: strings.ToLower(string(q.args[1])), server: r.serverHash(q.args[1])}
		out = redcon.AppendBulkString(out, name.server)
	} else {
		wrapped, n := r.wrap(q.args[1])
		name = n
		out = redcon.AppendBulk(out, wrapped)
	}
	for _, arg := range q.args[2:] {
		out = redcon.AppendBulk(out, arg)
	}
	room, held := room{keys: roomForAll}, (*claim)(nil)
	if counts && !strings.HasSuffix(c.name, "_ro") {
		room, held, ok, err = r.admitScript(b, q, q.args[3:], int(count))
		if err != nil || !ok {
			return 0, err
		}
	}
	t.oweTranslated(name, held)
	t.instead(b, q, out...)
	t.suffix = redcon.AppendBulk(t.suffix, r.scriptArgument(room))
	return 0, nil
}

// scriptArgument is what a script gets as its last argument, in MessagePack.
func (r *relay) scriptArgument(room room) []byte {
	rules := r.track.rules
	if rules == nil {
		rules = &noRules
	}
	out := packInt(packInt(nil, room.keys), room.ceiling)
	out = packString(out, keysFailure(errFull, r.live, rules.maxKeys))
	out = packString(out, r.channels.prefix)
	return append(out, rules.packed...)
}

// room is how many keys a script may make.
type room struct {
	keys    int64 // a number, or one of the following
	ceiling int64 // how many keys there may be, of roomBelow
}

const (
	roomForAll   = -1
	roomForNamed = -2 // the keys that it names
	roomBelow    = -3 // as long as there are no more than ceiling
)

// admitScript claims room for the keys that a script may make. Inside of MULTI,
// near the limit, these are the keys that it names.
func (r *relay) admitScript(b []byte, q *request, keys [][]byte, count int) (granted room, held *claim, ok bool, err error) {
	t, g := &r.track, &r.space.gate
	if t.multi {
		c, taken := &claim{gate: g, parked: true}, false
		err := r.ask(b, q, func() (err error) {
			taken, err = g.queue(r, t.settings, c, int64(count))
			return err
		})
		switch {
		case err != nil:
			return room{}, nil, false, r.refuseKeys(b, q, err)
		case taken:
			c.next, t.tx.held = t.tx.held, c
			return room{keys: c.keys}, nil, true, nil
		}
		if count > 0 && !t.tx.claim(keys) {
			t.refuse(b, q, errTooLong)
			return room{}, nil, false, nil
		}
		return room{keys: roomForNamed}, nil, true, nil
	}
	held, err = r.claimShare(b, q, int64(count))
	if err != nil {
		return room{}, nil, false, r.refuseKeys(b, q, err)
	}
	if held.lone {
		return room{roomBelow, held.ceiling}, held, true, nil
	}
	return room{keys: held.keys}, held, true, nil
}

// decideScriptCache does SCRIPT LOAD and SCRIPT EXISTS.
func (r *relay) decideScriptCache(b []byte, q *request, sub string) error {
	t := &r.track
	if q.n < 3 || sub == "load" && q.n != 3 {
		return r.pass(q)
	}
	if sub == "exists" {
		out := redcon.AppendBulkString(redcon.AppendBulk(redcon.AppendArray(nil, q.n), q.args[0]), sub)
		for _, arg := range q.args[2:] {
			out = redcon.AppendBulkString(out, r.serverHash(arg))
		}
		return r.put(b, q, out...)
	}
	if t.rules == nil && !publishes(q.args[2]) {
		return r.pass(q)
	}
	wrapped, name := r.wrap(q.args[2])
	name.loaded = true
	t.oweTranslated(name, nil)
	t.instead(b, q, appendCommand(nil, []byte("SCRIPT"), []byte("LOAD"), wrapped)...)
	return nil
}

// translate passes on the reply to a script with the client's hash in it.
func (n *scriptName) translate(r *relay, b []byte, pos int) (done bool, size, need, limit int, err error) {
	switch {
	case b[pos] == '-':
		end := bytes.IndexByte(b[pos:], '\n')
		if end < 0 {
			return true, 0, 0, maxHeld, errShort
		}
		size = end + 1
	case b[pos] == '$' && n.loaded:
		_, _, size, err = text(b[pos:])
		if err != nil {
			return true, 0, size, maxHeld, err
		}
	default:
		return false, 0, 0, 0, nil
	}
	line := bytes.Replace(b[pos:pos+size], []byte(n.server), []byte(n.client), 1)
	r.replies.put(b, pos, size, line...)
	r.valueDone()
	return true, size, 0, 0, nil
}
