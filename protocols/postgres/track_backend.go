package postgres

import (
	"bytes"
	"time"
)

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
		act, told := more, ""
		t.last = rest[0]
		if t.stop == timedOut && completes(rest[0]) {
			return step{pass: pos, act: awaitReady}, nil
		}
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
			if t.changed == unchanged && bytes.HasPrefix(rest[headerLen:size], tagCommitPrepared) {
				t.changed = pending // perhaps: what was prepared told another session, or this one long ago
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
			if t.tag != "" && t.stop != tooManyRows {
				act, told = retag, t.tag
			}
			t.tag = ""
		case 'I':
			t.completed(now, timeout)
		case 's':
			t.tag = ""
			t.suspend()
			t.completed(now, timeout)
		case 'E':
			if (t.stop == timedOut || t.raises) && size <= maxInspected {
				if len(rest) < size {
					return step{pass: pos, need: size}, nil
				}
				switch body := rest[headerLen:size]; {
				case t.stop == timedOut && string(errorCode(body)) == codeQueryCanceled:
					act = rewrite
				case t.stop == running && isRefusal(body):
					act = bare
				}
			}
			t.tag = ""
			t.failed()
		case 'N':
			if len(rest) < min(size, noticeHead) {
				return step{pass: pos, need: min(size, noticeHead)}, nil
			}
			switch head := rest[headerLen:min(size, noticeHead)]; {
			case bytes.Contains(head, journalNotice):
				t.changed = pending
				act = swallowed
			case bytes.Contains(head, explainedNotice):
				t.tag = "EXPLAIN"
				act = swallowed
			case bytes.Contains(head, clusteredNotice):
				t.tag = "CLUSTER"
				act = swallowed
			case t.fixed && bytes.Contains(head, droppedNotice):
				if size > maxInspected {
					break
				}
				if len(rest) < size {
					return step{pass: pos, need: size}, nil
				}
				t.tag = noticeText(rest[headerLen:size])
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
		case swallowed, limitRows, rewrite, bare, retag:
			t.backPass, t.swallow = size, true
			return step{pass: pos, act: act, size: n, text: told}, nil
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
	tagCommit         = []byte("COMMIT")
	tagCommitPrepared = []byte("COMMIT PREPARED")
	tagAlterRole      = []byte("ALTER ROLE")
	tagAlterDatabase  = []byte("ALTER DATABASE")
	// What the journal tells the proxy: of a change, and that what ran in the
	// place of an EXPLAIN or a CLUSTER has ended; and what a statement that
	// SchemaGuard put in the place of a DROP does, with the tag as its text.
	journalNotice   = []byte("\x00CTDB01\x00")
	explainedNotice = []byte("\x00CTDB02\x00")
	clusteredNotice = []byte("\x00CTDB03\x00")
	droppedNotice   = []byte("\x00CTDB04\x00")
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
	t.batch.feigned = t.owed.front().kind == replyExecute
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

// completes says whether a frame is the result of a statement that did not fail.
func completes(typ byte) bool { return typ == 'C' || typ == 'I' || typ == 's' }

// dropped settles n bytes of a frame that the relay did not pass on.
func (t *track) dropped(n int) {
	t.backPass -= n
	t.swallow = t.backPass > 0
}
