package redis

import (
	"errors"
	"os"
	"time"

	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// BLMOVE and BRPOPLPUSH can't wait inside of a transaction, and the server makes
// their list while it serves whoever pushed. So three commands are sent:
//
//	EVAL beforeWait   does the list live without an expiry already?
//	BLMOVE            waits
//	EVAL afterWait    a list of one element without an expiry is new: it gets one
//
// Where others have pushed before the third one ran, another BLMOVE that was
// served by the same push among them, the list has more elements and afterWait
// can't tell. Then, if it had not lived without an expiry before the wait, it
// gets its expiry as soon as the reply of afterWait is here: between two
// commands of the client, or, where it sends none, right away.

// move is a BLMOVE that is under way.
type move struct {
	key   []byte
	ttl   int64 // seconds
	lived bool  // without an expiry, before the wait
}

// sendMove hands on a command that waits and may then make key.
func (r *relay) sendMove(b []byte, q *request, keys [][]byte, ttls []int64, held *claim) {
	t := &r.track
	m := &move{key: []byte(string(keys[0])), ttl: ttls[0]}
	t.cut(b, q.start)
	t.out = appendScript(t.out, beforeWait, keys, nil)
	t.suffix = appendScript(t.suffix, afterWait, keys, ttls)
	t.owe(reply{kind: surveyed, move: m})
	t.owe(reply{kind: passed, claim: held})
	t.owe(reply{kind: moved, move: m})
	t.take(q)
}

// learn takes what beforeWait or afterWait says of a move.
func (r *relay) learn(b []byte, pos int, owed *reply) (need int, err error) {
	yes := false
	if b[pos] == ':' {
		n, _, err := integer(b[pos:])
		if err != nil {
			return 0, err
		}
		yes = n == 1
	}
	switch {
	case owed.kind == surveyed:
		owed.move.lived = yes
	case yes && !owed.move.lived && len(r.late) < maxLate:
		r.late = append(r.late, owed.move)
		r.isLate.Store(true)
		r.woken = true
		_ = r.front.SetReadDeadline(window.Past)
	}
	r.replies.hide(b, pos)
	return 0, nil
}

// maxLate bounds the moves that wait for the end of a client's command.
const maxLate = 1 << 10

// sendLate gives lists of moves their expiry, at pos between two commands.
func (r *relay) sendLate(b []byte, pos int) {
	r.mu.Lock()
	commands, n := r.takeLate()
	r.mu.Unlock()
	t := &r.track
	t.cut(b, pos)
	t.out = append(t.out, commands...)
	t.owing = append(t.owing, reply{kind: swallowed, n: n})
}

// takeLate is the commands for the lists, for who holds mu.
func (r *relay) takeLate() (commands []byte, n int32) {
	for _, m := range r.late {
		commands = appendScript(commands, expireLate, [][]byte{m.key}, []int64{m.ttl})
		n++
	}
	r.late = nil
	r.isLate.Store(false)
	return commands, n
}

// awake says whether reading the frontend ended for sendLate's sake alone, so
// that it goes on.
func (r *relay) awake(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.woken || r.life.Ended() || r.stopping() {
		return false
	}
	r.woken = false
	return r.front.SetReadDeadline(time.Time{}) == nil
}
