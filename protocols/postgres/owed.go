package postgres

// replyKind is what the client sent that the backend still owes an answer to.
type replyKind uint8

const (
	replyExecute  replyKind = iota + 1 // CommandComplete, EmptyQueryResponse or PortalSuspended
	replyQuery                         // ReadyForQuery, after any number of results
	replySync                          // ReadyForQuery
	replyFunction                      // ReadyForQuery, after FunctionCallResponse
	copyEnd                            // no reply: marks CopyDone or CopyFail in the client's stream
)

// reply is one reply owed. portal is the hash of an Execute's portal name;
// bound says that the portal was bound anew for this Execute, so that its row
// count starts at zero. unsynced says that extended messages went before a
// Query or FunctionCall without a Sync: an error there voids it.
type reply struct {
	kind     replyKind
	bound    bool
	unsynced bool
	portal   uint64
}

// maxOwed bounds a client's pipeline. A client that runs further ahead is read
// again when replies arrive; the server's own output buffer keeps back at most
// a few hundred, so it always gets there.
const maxOwed = 1 << 16

// owedQueue is a first-in first-out ring of the replies owed. It grows to
// maxOwed and keeps what it has.
type owedQueue struct {
	ring []reply
	head int
	n    int
}

func (q *owedQueue) push(r reply) {
	if q.n == len(q.ring) {
		grown := make([]reply, max(16, 2*len(q.ring)))
		for i := range q.n {
			grown[i] = q.ring[(q.head+i)&(len(q.ring)-1)]
		}
		q.ring, q.head = grown, 0
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = r
	q.n++
}

// front is the oldest reply owed; the zero reply where there is none.
func (q *owedQueue) front() reply {
	if q.n == 0 {
		return reply{}
	}
	return q.ring[q.head]
}

// advance drops the front.
func (q *owedQueue) advance() {
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
}

// pop drops the front, and the ends of copies behind it: they are nothing that
// is answered, so that the front is always a reply.
func (q *owedQueue) pop() {
	q.advance()
	for q.front().kind == copyEnd {
		q.advance()
	}
}

// dropUntilReady drops what an error made void: everything before the next
// reply that ends with ReadyForQuery.
func (q *owedQueue) dropUntilReady() {
	for q.front().kind == replyExecute {
		q.pop()
	}
}

// dropUntilSync drops what a backend skips after an error in the extended
// protocol. found is false where no Sync was sent yet.
func (q *owedQueue) dropUntilSync() (found bool) {
	for q.n > 0 && q.front().kind != replySync {
		q.pop()
	}
	return q.n > 0
}

// dropCopied drops, behind the front, the Syncs that the backend took for part
// of a COPY, up to the CopyDone or CopyFail that ended it. Without one in the
// queue the client is still to send it, and all of them are dropped.
func (q *owedQueue) dropCopied() {
	front := q.front()
	q.advance()
	for q.front().kind == replySync {
		q.advance()
	}
	if q.front().kind == copyEnd {
		q.advance()
	}
	q.head = (q.head - 1) & (len(q.ring) - 1)
	q.ring[q.head] = front
	q.n++
}

// copyEnded says whether the client ended the COPY that the front is about.
func (q *owedQueue) copyEnded() bool {
	for i := 1; i < q.n; i++ {
		switch q.ring[(q.head+i)&(len(q.ring)-1)].kind {
		case replySync:
			continue
		case copyEnd:
			return true
		}
		return false
	}
	return false
}

// synced says whether a Sync is among the replies owed.
func (q *owedQueue) synced() bool {
	for i := range q.n {
		if q.ring[(q.head+i)&(len(q.ring)-1)].kind == replySync {
			return true
		}
	}
	return false
}

// syncBehindFront says whether a Sync was sent right behind the front.
func (q *owedQueue) syncBehindFront() bool {
	return q.n > 1 && q.ring[(q.head+1)&(len(q.ring)-1)].kind == replySync
}
