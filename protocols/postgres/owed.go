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
// count starts at zero.
type reply struct {
	kind   replyKind
	bound  bool
	portal uint64
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

func (q *owedQueue) pop() {
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
}

// dropUntilReady drops what an error made void: everything before the next
// reply that ends with ReadyForQuery.
func (q *owedQueue) dropUntilReady() {
	for q.n > 0 && (q.front().kind == replyExecute || q.front().kind == copyEnd) {
		q.pop()
	}
}

// dropThroughCopyEnd drops the Syncs that the backend took for part of a COPY,
// up to the CopyDone or CopyFail that ended it. Without one in the queue the
// copy goes on and all of them are dropped.
func (q *owedQueue) dropThroughCopyEnd() {
	for q.n > 0 && q.front().kind == replySync {
		q.pop()
	}
	if q.front().kind == copyEnd {
		q.pop()
	}
}
