package redis

import (
	"errors"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// track is what the frontend's direction knows of a session: the command that
// passes, the transaction, and what the client set. Only that direction
// changes it.
type track struct {
	within   bool   // a command
	args     int    // arguments still to come
	skip     int    // bytes of an argument still to come
	dropping bool   // what is still to come is dropped
	suffix   []byte // put behind the last argument
	// options are the last arguments of a SET that are looked at on the way; with
	// KEEPTTL among them ifKept becomes the suffix.
	options int
	ifKept  []byte
	long    *longKeys // of the MSET that passes; nil where its keys are not wanted

	splice
	owing []reply // what the backend will owe for what was not sent yet

	view     [][]byte // arguments looked at, reused
	rules    *rules   // of settings, compiled
	settings *workspace.KeyRules

	multi    bool // between MULTI and EXEC or DISCARD
	tx       transaction
	watching bool // between WATCH and what ends it
	muted    bool // CLIENT REPLY OFF
	muteNext int  // CLIENT REPLY SKIP: commands not answered, this one included
	resp3    bool
	waits    bool // a command that blocks was sent

	patterns []string // the client's patterns, in their order
	wide     bool     // one of them may match the keyspace's channels
	tracking trackingMode
	// listening says that the backend tells of changed keys, for tracking.
	listening bool
	lasting   bool // the session used what a reset does not undo
}

// transaction is what is queued since MULTI.
type transaction struct {
	queued int    // elements that EXEC will answer with
	hidden []bool // which of them the client must not see; nil where none
	keys   [][]byte
	bytes  int // of keys
	moves  int // keys made of others
	// translations are those of replies of what is queued, by their places.
	translations map[int]translation
	held         *claim // what scripts may make
}

// settle ends the claims of a transaction that does not run.
func (t *transaction) settle() {
	if t.held != nil {
		t.held.settle()
	}
}

// translate notes how the element counted last is translated.
func (t *transaction) translate(by translation) {
	if t.translations == nil {
		t.translations = make(map[int]translation)
	}
	t.translations[t.queued-1] = by
}

// element counts one more queued command.
func (t *transaction) element(hidden bool) {
	if hidden && t.hidden == nil {
		t.hidden = make([]bool, t.queued, t.queued+8)
	}
	if t.hidden != nil {
		t.hidden = append(t.hidden, hidden)
	}
	t.queued++
}

// request is a command at the head of the window.
type request struct {
	start int      // where it is in the window
	head  int      // size of its header
	size  int      // of its header and the arguments looked at
	n     int      // arguments, its name among them
	args  [][]byte // those looked at, part of the window
}

// owe notes a reply of the command at hand. What confirms a subscription is told
// whether or not the client turned replies off, as in Redis.
func (t *track) owe(r reply) {
	r.n = max(r.n, 1)
	r.muted = (t.muted || t.muteNext > 0) && r.kind != confirmed
	if len(t.owing) > 0 && r.plain() {
		if last := &t.owing[len(t.owing)-1]; last.plain() && last.kind == r.kind && last.muted == r.muted {
			last.n += r.n
			return
		}
	}
	t.owing = append(t.owing, r)
}

// oweTranslated is owe for a reply that the client gets in its own words, in
// MULTI as an element of EXEC's.
func (t *track) oweTranslated(by translation, held *claim) {
	if !t.multi {
		t.owe(reply{kind: translated, translation: by, claim: held})
		return
	}
	t.tx.element(false)
	t.tx.translate(by)
	t.owe(reply{kind: passed, claim: held})
}

// take hands on the command with what was looked at of it unchanged; the rest
// follows.
func (t *track) take(q *request) { t.args = q.n - len(q.args) }

// instead puts bytes in the place of what was looked at of the command; the
// rest follows.
func (t *track) instead(b []byte, q *request, bytes ...byte) {
	t.cut(b, q.start)
	t.out = append(t.out, bytes...)
	t.from = q.start + q.size
	t.take(q)
}

// marker is a command that the server refuses in every state: outside of a
// transaction it does nothing, inside of one it makes EXEC fail, as a refused
// command must.
const marker = "*1\r\n$1\r\n-\r\n"

// tell gives the client text, a whole reply without its line end, in the place
// of the command, in its order among the replies.
func (t *track) tell(b []byte, q *request, text string) {
	t.owe(reply{kind: replaced, text: text})
	t.instead(b, q, []byte(marker)...)
	if t.args > 0 {
		t.dropping = true
	}
}

// refuse tells the client an error.
func (t *track) refuse(b []byte, q *request, text string) { t.tell(b, q, "-"+text) }

// passArguments goes over the arguments of a command that passes or is
// dropped, from pos on. The command has not ended where it is still within.
func (t *track) passArguments(b []byte, pos int) (next int, err error) {
	for {
		if t.skip > 0 {
			n := min(t.skip, len(b)-pos)
			t.skip -= n
			pos += n
			if t.skip > 0 {
				break
			}
		}
		if t.args == 0 {
			t.finish(b, pos)
			return pos, nil
		}
		n, size, err := bulkHeader(b[pos:])
		if errors.Is(err, errShort) {
			break
		}
		if err != nil {
			return pos, err
		}
		if t.args <= t.options && n == len("keepttl") {
			if len(b) < pos+size+n {
				break
			}
			if is(b[pos+size:pos+size+n], "keepttl") {
				t.suffix = t.ifKept
			}
		}
		if t.long != nil && t.args%2 == 0 {
			if n > maxLongKey {
				return pos, errLongKeys
			}
			if len(b) < pos+size+n {
				break
			}
			if err := t.long.note(b[pos+size : pos+size+n]); err != nil {
				return pos, err
			}
		}
		t.args--
		t.skip = n + 2
		pos += size
	}
	if t.dropping {
		t.drop(pos)
	}
	return pos, nil
}

// finish ends the command at pos.
func (t *track) finish(b []byte, pos int) {
	t.within = false
	t.options, t.ifKept = 0, nil
	if t.dropping {
		t.drop(pos)
		t.dropping = false
	}
	if t.long != nil {
		t.suffix = append(t.suffix, t.long.behind(t.rules)...)
		t.long = nil
	}
	if len(t.suffix) > 0 {
		t.cut(b, pos)
		t.out = append(t.out, t.suffix...)
		t.suffix = nil
	}
	if t.muteNext > 0 {
		t.muteNext--
	}
}
