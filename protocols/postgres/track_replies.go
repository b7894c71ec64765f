package postgres

import "time"

// owe adds a reply and starts the clock where none was owed.
func (t *track) owe(r reply, now int64, timeout time.Duration) {
	if t.skipping {
		return
	}
	if t.owed.n == 0 {
		t.arm(now, timeout)
		t.startRows(r)
	}
	t.owed.push(r)
}

// startRows sets the row count for the statement that r will answer.
func (t *track) startRows(r reply) {
	t.rows = 0
	if len(t.suspended) > 0 && r.kind == replyExecute && !r.bound {
		t.rows = t.suspended[r.portal]
	}
}

func (t *track) arm(now int64, timeout time.Duration) {
	t.deadline = 0
	if timeout > 0 {
		t.deadline = now + int64(timeout)
	}
}

// rearm gives the next statement its own time, where one is owed and the
// backend is the one who works.
func (t *track) rearm(now int64, timeout time.Duration) {
	if t.stop != running {
		return
	}
	if t.owed.n == 0 || t.copyIn {
		t.deadline = 0
		return
	}
	t.arm(now, timeout)
}

// maxSuspended bounds the portals whose rows are remembered.
const maxSuspended = 4 << 10

// suspend remembers the rows of the portal that stopped at its row count.
func (t *track) suspend() {
	r := t.owed.front()
	if r.kind != replyExecute {
		return
	}
	if t.suspended == nil {
		t.suspended = make(map[uint64]int64)
	}
	if len(t.suspended) >= maxSuspended {
		clear(t.suspended)
	}
	t.suspended[r.portal] = t.rows
}

// completed settles the Execute at the front, or one result of a Query.
func (t *track) completed(now int64, timeout time.Duration) {
	t.endCopy()
	if t.owed.front().kind == replyExecute {
		t.owed.pop()
	}
	// What the client was told of as failed may have ended by itself.
	t.obeyed = t.stop == tooManyRows && t.owed.n == 0
	t.startRows(t.owed.front())
	t.rearm(now, timeout)
}

// endCopy settles what the client sent while the backend took it for copy data.
func (t *track) endCopy() {
	if t.copying && t.owed.n > 0 {
		t.owed.dropCopied()
	}
	t.copying, t.copyIn, t.copyOut = false, false, false
}

// failed drops what an error voids: in the extended protocol everything up to
// the next Sync; a Query is still owed its ReadyForQuery.
func (t *track) failed() {
	if t.copying && t.owed.syncBehindFront() {
		// Were the Syncs skipped as copy data, or did the copy fail before
		// they were read? What is owed from here on is a guess.
		t.lost = true
	}
	t.endCopy()
	switch front := t.owed.front(); {
	case front.kind == replyExecute, front.kind == 0 && t.unsynced:
		t.skipping = !t.owed.dropUntilSync()
	case front.kind != replySync && front.unsynced:
		// Was it this Query or a message before it that failed? Then the Query
		// is skipped; to wait for a reply that doesn't come would be worse.
		t.skipping = !t.owed.dropUntilSync()
		t.lost = t.lost || !t.batch.spoilt
	}
	t.obeyed = t.stop != running
	t.batch.feigned = false
	t.rows = 0
}

// ready settles a ReadyForQuery.
func (t *track) ready(status byte, now int64, timeout time.Duration) {
	t.owed.dropUntilReady()
	if t.owed.n == 0 {
		t.lost = true
	} else {
		t.owed.pop()
	}
	t.skipping = false
	t.status = status
	t.settled = false
	if status == 'I' {
		t.changed = unchanged
	}
	t.copying, t.copyIn, t.copyOut = false, false, false
	t.stop, t.obeyed = running, false
	t.batch.feigned, t.batch.spoilt = false, false
	if status == 'I' && len(t.suspended) > 0 {
		clear(t.suspended)
	}
	t.startRows(t.owed.front())
	t.rearm(now, timeout)
}
