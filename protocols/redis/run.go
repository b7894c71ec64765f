package redis

import "bytes"

// again is the beginning of the last command that the table has, from its
// header to its name: in a pipeline the next is mostly the same.
type again struct {
	bytes   [2 * maxName]byte
	size    int // of the beginning; 0: there is none
	head    int // of the header
	name    int // where the name begins
	n       int // arguments, the name among them
	command *command
}

// note remembers the beginning of q, of which no more than the name was looked
// at, and whose command is c.
func (a *again) note(b []byte, q *request, c *command) {
	a.size = 0
	if q.size > len(a.bytes) {
		return
	}
	a.size = copy(a.bytes[:], b[q.start:q.start+q.size])
	a.head, a.n, a.command = q.head, q.n, c
	a.name = q.size - len("\r\n") - len(q.args[0])
}

// begins says whether b begins as the last command did.
func (a *again) begins(b []byte) bool {
	return a.size > 0 && len(b) >= a.size && bytes.Equal(b[:a.size], a.bytes[:a.size])
}

// request is the command at start, which begins as the last did. Its name is
// put into view.
func (a *again) request(b []byte, start int, view [][]byte) request {
	name := b[start+a.name : start+a.size-len("\r\n")]
	return request{start: start, head: a.head, size: a.size, n: a.n, args: append(view[:0], name)}
}

// passRun goes over the whole replies at pos that pass as they are, all but the
// last of those that are owed in a row, and gives the place behind them. What it
// does not know it leaves to beginValue.
func (r *relay) passRun(b []byte, pos int) int {
	owed := r.owed.front()
	if owed == nil || owed.kind != passed || owed.muted || owed.claim != nil || r.replies.elements > 0 {
		return pos
	}
	for owed.n > 1 && pos < len(b) {
		size := plainReply(b[pos:])
		if size == 0 {
			break
		}
		pos += size
		owed.n--
		r.owed.n--
	}
	return pos
}

// plainReply is the size of the reply at b[0], a line or a bulk string; 0 where
// it is something else, or not whole.
func plainReply(b []byte) int {
	switch b[0] {
	case '+', '-', ':', '_', '#', ',', '(':
		end := bytes.IndexByte(b, '\n')
		if end < 2 || b[end-1] != '\r' {
			return 0
		}
		return end + 1
	case '$':
		n, size, err := header(b)
		if err != nil || n < -1 || n > maxBulk {
			return 0
		}
		if n >= 0 {
			size += int(n) + len("\r\n")
		}
		if size > len(b) {
			return 0
		}
		return size
	}
	return 0
}
