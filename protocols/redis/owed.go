package redis

import "math"

// replyKind is what becomes of a reply that the backend owes.
type replyKind uint8

const (
	passed     replyKind = iota + 1 // goes to the client; n of them
	swallowed                       // of a hidden command; n of them
	replaced                        // the client gets text instead
	greeted                         // of HELLO: where it is no error the client speaks RESP n from here on
	queued                          // +QUEUED is taken out; an error passes and is all that the client gets
	wrapped                         // of the EXEC around one command: its element 1 passes
	executed                        // of an EXEC with hidden commands: the elements in shape are taken out
	confirmed                       // of (P|S)(UN)SUBSCRIBE: n confirmations, or one error
	tracked                         // of CLIENT TRACKING: prefixes are told of from here on
	surveyed                        // of what was asked before a command that waits; it is hidden
	moved                           // of what was done behind it; it is hidden
	translated                      // in the words of the server, which are not the client's
)

// reply is one reply owed, or n of one kind.
type reply struct {
	kind  replyKind
	muted bool // the client turned replies off: nothing of it passes
	n     int32
	// claim is what max_keys counts until the reply is here.
	claim *claim
	// text is what replaces a reply, or what the kind says of it.
	text string
	// shape marks the hidden elements of executed.
	shape []bool
	// translation is the one of translated; translations are those of elements
	// of executed, by their places.
	translation  translation
	translations map[int]translation
	// move is the one of surveyed and moved.
	move *move
	// prefixes are those of tracked; none are all keys.
	prefixes []string
	// pattern is the client's, in confirmed of one.
	pattern *listener
	// all is an UNSUBSCRIBE without names: it has as many confirmations as
	// there were channels.
	all bool
}

// translation makes a reply of the server the client's.
type translation interface {
	// translate passes on the reply at pos. done is false for one that has
	// nothing to translate. Otherwise size, need and limit are as of beginValue.
	translate(r *relay, b []byte, pos int) (done bool, size, need, limit int, err error)
}

// maxOwed bounds what is kept of a client's pipeline. A client that runs further
// ahead is read again when replies arrive. Since one that writes all before it
// reads anything, as most libraries do, would then wait for ever where the replies
// are more than the sockets hold, runs of replies count as one.
const maxOwed = 1 << 16

// owedQueue is a first-in first-out ring of the replies owed. Runs of replies
// that pass share an element.
type owedQueue struct {
	ring []reply
	head int
	len  int
	n    int // replies in all
}

func (q *owedQueue) push(r reply) {
	q.n += int(r.n)
	if q.len > 0 && r.plain() {
		if last := &q.ring[(q.head+q.len-1)&(len(q.ring)-1)]; last.plain() && last.kind == r.kind && last.muted == r.muted {
			last.n += r.n
			return
		}
	}
	if q.len == len(q.ring) {
		grown := make([]reply, max(4, 2*len(q.ring)))
		for i := range q.len {
			grown[i] = q.ring[(q.head+i)&(len(q.ring)-1)]
		}
		q.ring, q.head = grown, 0
	}
	q.ring[(q.head+q.len)&(len(q.ring)-1)] = r
	q.len++
}

// full says whether nothing more is to be owed for now.
func (q *owedQueue) full() bool { return q.len >= maxOwed || q.n >= math.MaxInt32/2 }

// plain says that the reply is one of a kind that n of can share an element.
func (r *reply) plain() bool { return r.claim == nil && (r.kind == passed || r.kind == swallowed) }

// front is the oldest reply owed; nil where there is none. It is valid until
// the next push.
func (q *owedQueue) front() *reply {
	if q.len == 0 {
		return nil
	}
	return &q.ring[q.head]
}

// settle takes one off the oldest, and gives it where that was the last.
func (q *owedQueue) settle() (done reply, last bool) {
	front := &q.ring[q.head]
	front.n--
	q.n--
	if front.n > 0 {
		return reply{}, false
	}
	done = *front
	*front = reply{}
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.len--
	return done, true
}
