package postgres

import (
	"bytes"
	"time"
	"unsafe"

	"github.com/tenantsdb/tenantsdb/ddltrack"
)

// stop is why the proxy itself ends the statement at hand. Set by enforce,
// cleared by ReadyForQuery once no cancel request is on its way.
type stop uint8

const (
	running     stop = iota
	timedOut         // query_timeout_ms passed; the server's 57014 is put in our words
	tooManyRows      // max_rows_per_query passed; the client has been told, the rest is discarded
)

// change is how far a schema change that the journal told of has come.
type change uint8

const (
	unchanged change = iota
	pending          // not recorded since; cleared by Record at a commit point
	recorded         // recorded at a commit point; another result makes it pending again
)

// track is what the relay knows of a session: the replies owed, the
// transaction status, the rows of the statement at hand. Both directions
// change it, under the relay's lock and never across I/O.
type track struct {
	owed    owedQueue
	status  byte // of the last ReadyForQuery: 'I', 'T' or 'E'
	rows    int64
	copying bool // the backend takes what comes for copy data, up to its end
	copyIn  bool // of copying: the client has not sent the end
	copyOut bool
	binary  bool // of copyOut: the last CopyData is a trailer
	stop    stop

	// suspended has the rows so far of portals that stopped at an Execute's
	// row count, by the hash of their names. It is emptied when the
	// transaction, and with it every portal, ends.
	suspended map[uint64]int64
	// lastBound is the portal that Bind named last, until it is executed.
	lastBound   uint64
	lastBoundOK bool

	changed  change
	settled  bool // the relay did what the last verdict asked for; the frame may pass
	last     byte // type of the last backend frame
	defaults bool // the session may have changed what new sessions start with
	lost     bool // what is owed is not known exactly: never reuse this backend, nor wait for it
	obeyed   bool // the statement that the proxy ends has ended

	unsynced bool // extended messages went without a Sync: a transaction may be open
	// unflushed says that the backend may keep the replies to Executes back,
	// since neither Sync nor Flush came behind them.
	unflushed bool
	skipping  bool // after an error the backend skips everything up to a Sync that was not sent yet

	frontPass int  // body bytes of a frontend frame still to pass unread
	backPass  int  // body bytes of a backend frame still to pass unread
	swallow   bool // of backPass: drop them instead

	deadline int64 // when the statement at hand must end, on the wheel's clock; 0: never
}

// verdict is what the relay does at the place where a scan stopped.
type verdict uint8

const (
	more       verdict = iota // read more: at least need bytes in all, or any where need is 0
	refuse                    // frontend: put substitute in place of this frame
	terminate                 // frontend: the client said goodbye
	full                      // frontend: wait until fewer replies are owed
	record                    // backend: record the schema change before this frame passes
	swallowed                 // backend: drop size bytes
	limitRows                 // backend: say that the row limit is reached, then drop size bytes
	rewrite                   // backend: say that the timeout is reached, then drop size bytes
	renew                     // backend: new sessions start differently now, let no warm one stand in for them
	awaitReady                // backend: let cancel requests arrive before this ReadyForQuery passes
)

// step is the result of a scan: pass bytes go on as they are, then act is due.
type step struct {
	pass int
	act  verdict
	size int    // of the frame that act is about
	need int    // for more
	why  string // for refuse
}

// maxPortalName is how much of a portal's name tells it from others.
const maxPortalName = 64

// maxStatement is the longest statement text that is held for inspection.
const maxStatement = 1 << 20

// scanFrontend goes over what the client sent. tracked says that statements
// which change the schema unjournaled are to be refused; now is the wheel's
// clock and timeout the workspace's limit.
func (t *track) scanFrontend(b []byte, tracked bool, now int64, timeout time.Duration) (step, error) {
	pos := 0
	for pos < len(b) {
		if t.frontPass > 0 {
			n := min(t.frontPass, len(b)-pos)
			t.frontPass -= n
			pos += n
			continue
		}
		if t.owed.n >= maxOwed {
			return step{pass: pos, act: full}, nil
		}
		rest := b[pos:]
		if len(rest) < headerLen {
			return step{pass: pos, need: headerLen}, nil
		}
		size, err := frameSize(rest)
		if err != nil {
			return step{pass: pos}, err
		}
		switch rest[0] {
		case 'Q', 'P':
			if tracked && size <= maxStatement {
				if len(rest) < size {
					return step{pass: pos, need: size}, nil
				}
				if why, found := ddltrack.Unjournaled(statementText(rest[:size])); found {
					return step{pass: pos, act: refuse, size: size, why: why}, nil
				}
			}
			if rest[0] == 'Q' {
				t.owe(reply{kind: replyQuery, unsynced: t.unsynced}, now, timeout)
			} else {
				t.unsynced = true
			}
		case 'B', 'E':
			portal, need := portalHash(rest, size)
			if need > 0 {
				return step{pass: pos, need: need}, nil
			}
			t.unsynced = true
			if rest[0] == 'B' {
				t.lastBound, t.lastBoundOK = portal, true
				break
			}
			bound := t.lastBoundOK && t.lastBound == portal
			t.lastBoundOK = t.lastBoundOK && !bound
			t.unflushed = true
			t.owe(reply{kind: replyExecute, portal: portal, bound: bound}, now, timeout)
		case 'S':
			t.unsynced, t.unflushed, t.skipping = false, false, false
			t.owe(reply{kind: replySync}, now, timeout)
		case 'F':
			t.owe(reply{kind: replyFunction, unsynced: t.unsynced}, now, timeout)
		case 'c', 'f':
			if t.owed.n > 0 {
				t.owed.push(reply{kind: copyEnd})
			}
			t.copyIn = false
			t.rearm(now, timeout)
		case 'D', 'C':
			t.unsynced = true
		case 'H':
			t.unflushed = false
		case 'd':
		case 'X':
			return step{pass: pos, act: terminate}, nil
		default:
			return step{pass: pos}, fatal(codeProtocolViolation, "invalid frontend message type %d", rest[0])
		}
		n := min(size, len(rest))
		t.frontPass = size - n
		pos += n
	}
	return step{pass: pos}, nil
}

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

// statementText is the text of a whole Query or Parse frame, without a copy:
// it must not be kept.
func statementText(frame []byte) string {
	body := frame[headerLen:]
	if frame[0] == 'P' {
		name, ok := cstring(body)
		if !ok {
			return ""
		}
		body = body[len(name)+1:]
	}
	text, _ := cstring(body)
	return unsafe.String(unsafe.SliceData(text), len(text))
}

// portalHash hashes the portal name at the head of a Bind or Execute (FNV-1a).
// need is how many bytes of the frame must be there to know.
func portalHash(frame []byte, size int) (hash uint64, need int) {
	hash = 14695981039346656037
	end := min(size, headerLen+maxPortalName)
	for i := headerLen; i < end; i++ {
		if i >= len(frame) {
			return 0, end
		}
		if frame[i] == 0 {
			return hash, 0
		}
		hash = (hash ^ uint64(frame[i])) * 1099511628211
	}
	return hash, 0
}

// scanBackend goes over what the backend sent. maxRows is the workspace's
// limit; now and timeout are as for scanFrontend.
func (t *track) scanBackend(b []byte, maxRows int64, now int64, timeout time.Duration) (step, error) {
	pos := 0
	for pos < len(b) {
		if t.backPass > 0 {
			n := min(t.backPass, len(b)-pos)
			if t.swallow {
				return step{pass: pos, act: swallowed, size: n}, nil
			}
			t.backPass -= n
			pos += n
			continue
		}
		rest := b[pos:]
		if len(rest) < headerLen {
			return step{pass: pos, need: headerLen}, nil
		}
		size, err := frameSize(rest)
		if err != nil {
			return step{pass: pos}, err
		}
		act := more
		t.last = rest[0]
		switch rest[0] {
		case 'D':
			t.rows++
			if maxRows > 0 && t.rows > maxRows {
				act = t.exceed()
			}
		case 'd':
			if !t.copyOut {
				break
			}
			if t.binary && size == trailerSize {
				if len(rest) < size {
					return step{pass: pos, need: size}, nil
				}
				if rest[headerLen] == 0xff {
					break // the trailer is no row
				}
			}
			t.rows++
			if maxRows > 0 && t.rows > maxRows {
				act = t.exceed()
			}
		case 'Z':
			if size != readySize {
				return step{pass: pos}, fatal(codeProtocolViolation, "invalid length %d of ReadyForQuery", size-1)
			}
			if len(rest) < size {
				return step{pass: pos, need: size}, nil
			}
			switch {
			case t.stop != running:
				act = awaitReady
			case t.changed == pending && rest[headerLen] == 'I' && !t.settled:
				act = record
			case t.defaults && rest[headerLen] == 'I':
				act = renew
			default:
				t.ready(rest[headerLen], now, timeout)
			}
		case 'C':
			if size > maxInspected {
				break
			}
			if len(rest) < size {
				return step{pass: pos, need: size}, nil
			}
			if t.changed != unchanged && t.commitPoint(rest[headerLen:size]) && !t.settled {
				act = record
				break
			}
			if t.changed != unchanged {
				t.changed = pending
			}
			if t.settled {
				t.changed, t.settled = recorded, false
			}
			if changesDefaults(rest[headerLen:size]) {
				t.defaults = true
			}
			t.completed(now, timeout)
		case 'I':
			t.completed(now, timeout)
		case 's':
			t.suspend()
			t.completed(now, timeout)
		case 'E':
			if t.stop == timedOut && size <= maxInspected {
				if len(rest) < size {
					return step{pass: pos, need: size}, nil
				}
				if string(errorCode(rest[headerLen:size])) == codeQueryCanceled {
					act = rewrite
				}
			}
			t.failed()
		case 'N':
			if len(rest) < min(size, noticeHead) {
				return step{pass: pos, need: min(size, noticeHead)}, nil
			}
			if bytes.Contains(rest[headerLen:min(size, noticeHead)], journalNotice) {
				t.changed = pending
				act = swallowed
			}
		case 'G', 'W':
			t.copying = true
			if !t.owed.copyEnded() {
				t.copyIn = true
				t.deadline = 0
			}
		case 'H':
			if len(rest) < min(size, headerLen+1) {
				return step{pass: pos, need: headerLen + 1}, nil
			}
			t.copyOut = true
			t.binary = size > headerLen && rest[headerLen] == 1
		case 'c':
			t.copyOut = false
		}
		if t.stop == tooManyRows && act == more && discards(rest[0]) {
			act = swallowed
		}
		n := min(size, len(rest))
		switch act {
		case more:
			t.backPass, t.swallow = size-n, false
			pos += n
		case swallowed, limitRows, rewrite:
			t.backPass, t.swallow = size, true
			return step{pass: pos, act: act, size: n}, nil
		default:
			return step{pass: pos, act: act, size: n}, nil
		}
	}
	return step{pass: pos}, nil
}

const (
	// readySize is ReadyForQuery's, whose body is the transaction status.
	readySize = headerLen + 1
	// trailerSize is that of the CopyData that ends a binary COPY: -1 in place
	// of a row's number of columns.
	trailerSize = headerLen + 2
	// maxInspected is the largest backend frame that is held to be read.
	maxInspected = 8 << 10
	// noticeHead is enough of a notice to see its severity, in the server's
	// language, and its SQLSTATE.
	noticeHead = headerLen + 64
)

var (
	tagCommit        = []byte("COMMIT")
	tagAlterRole     = []byte("ALTER ROLE")
	tagAlterDatabase = []byte("ALTER DATABASE")
	journalNotice    = []byte("\x00CTDB01\x00")
)

// changesDefaults says whether a command tag is of a statement after which new
// sessions may start differently, so that warm ones are stale.
func changesDefaults(tag []byte) bool {
	return bytes.HasPrefix(tag, tagAlterRole) || bytes.HasPrefix(tag, tagAlterDatabase)
}

// commitPoint says whether the result with this tag may have been committed
// before the server sent it: COMMIT itself, and the last statement of a Query
// outside a transaction block. In the extended protocol Sync commits.
func (t *track) commitPoint(tag []byte) bool {
	return bytes.HasPrefix(tag, tagCommit) || t.status == 'I' && t.owed.front().kind == replyQuery
}

// exceed begins to discard the statement's replies.
func (t *track) exceed() verdict {
	if t.stop == tooManyRows {
		return swallowed
	}
	if t.stop != running {
		return more
	}
	t.stop = tooManyRows
	return limitRows
}

// discards says whether a frame belongs to the replies that are dropped after
// the row limit; what may come at any time still passes.
func discards(typ byte) bool {
	switch typ {
	case 'Z', 'A', 'N', 'S':
		return false
	}
	return true
}

// dropped settles n bytes of a frame that the relay did not pass on.
func (t *track) dropped(n int) {
	t.backPass -= n
	t.swallow = t.backPass > 0
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
		t.lost = true
	}
	t.obeyed = t.stop != running
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
	if status == 'I' && len(t.suspended) > 0 {
		clear(t.suspended)
	}
	t.startRows(t.owed.front())
	t.rearm(now, timeout)
}

// idle says whether the session is between statements, at a frame's edge in
// both directions.
func (t *track) idle() bool {
	return t.owed.n == 0 && t.frontPass == 0 && t.backPass == 0 && !t.copyIn && !t.copyOut
}

// reusable says whether the backend's state is known well enough to reset it.
func (t *track) reusable() bool {
	return t.idle() && !t.lost && !t.unsynced && t.stop == running
}

// finishes says whether what is owed comes without another word from the
// client. It does not within a frame or a copy.
func (t *track) finishes() bool { return t.frontPass == 0 && !t.copyIn && !t.lost }
