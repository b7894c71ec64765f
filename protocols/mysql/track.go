package mysql

import (
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// stop is why the proxy itself ends the command at hand. Set by enforce,
// cleared with the command's last reply, once no KILL is on its way.
type stop uint8

const (
	running     stop = iota
	timedOut         // query_timeout_ms passed; our error takes the place of the server's or of the next row
	tooManyRows      // max_rows_per_query passed; the client has been told
)

// track is what the relay knows of a session: the command that is with the
// backend, how far its reply has come, the rows of its statement. Both
// directions change it, under the relay's lock and never across I/O.
type track struct {
	capabilities capabilities
	database     string
	tracked      bool // schema changes are recorded
	deployed     bool // schema changes are refused
	statements   statements

	// The command at hand.
	owed     bool // its reply has not ended
	command  byte
	prepared uint32 // the statement that it executes or fetches from
	opening  bool   // it asks for a cursor
	mayLoad  bool   // it may make the server ask for a file
	judged   bool   // it was looked at by the rules, and may go
	announce bool   // it may change the schema: record before its reply ends
	outdates bool   // it may change what backends keep of the database
	recorded bool
	killing  *backend // its target; let go when the reply has ended
	deadline int64    // when it must end, on the wheel's clock; 0: never
	// quiet replies come before the one that is the client's; shift is what
	// the sequence numbers of that one lack.
	quiet int
	shift byte

	// Its reply.
	phase    phase
	left     int // packets of definitions still to come
	rows     int64
	stop     stop
	told     bool // the client had an error of ours: the rest is dropped
	unkilled bool // no KILL of ours is on its way

	sequence byte // of the last packet that went to the client
	erred    bool // the last packet was an ERR: the server said why it closes
	lost     bool // the backend's state is not known: never reuse it, nor wait for it
	infile   bool // the client sends a file

	frontPass int  // bytes of a client's packet still to pass unread
	frontMore bool // the client's payload goes on in the next packet
	refused   *failure
	backPass  int // bytes of a backend's packet still to pass unread
	backMore  bool
	swallow   bool // drop them instead
}

// phase is what the next packet of a reply is.
type phase uint8

const (
	phaseFirst   phase = iota // OK, ERR, a column count, a file request
	phaseColumns              // column definitions
	phaseBetween              // the EOF between definitions and rows
	phaseRows                 // rows, and what ends them
	phaseCount                // a known number of packets
	phaseList                 // definitions up to an EOF
)

// verdict is what the relay does at the place where a scan stopped.
type verdict uint8

const (
	more        verdict = iota // read more: at least need bytes in all, or any where need is 0
	terminate                  // frontend: the client said goodbye
	busy                       // frontend: wait until the reply at hand has ended
	judge                      // frontend: announce this statement
	mapKill                    // frontend: put the server's number in the place of ours
	changeUser                 // frontend: let the client authenticate anew
	dropped                    // frontend: size bytes of a refused command
	refuse                     // frontend: say that the command is refused
	record                     // backend: record the schema change before this packet passes
	awaitQuiet                 // backend: let KILLs arrive before this packet passes
	limitRows                  // backend: say that the row limit is reached, then drop size bytes
	refuseFile                 // backend: say that no file is sent, send none, then drop size bytes
	withoutFile                // backend: send no file, then drop size bytes
	rewrite                    // backend: say that the timeout is reached, then drop size bytes
	swallowed                  // backend: drop size bytes
)

// step is the result of a scan: pass bytes go on as they are, then act is due.
type step struct {
	pass int
	act  verdict
	size int  // of the packet that act is about, header included
	need int  // for more
	kill kill // for mapKill
	// sequence is the number of the packet that is replaced.
	sequence byte
	outdates bool // warm backends do not know what a command does
}

// scanBackend goes over what the backend sent. maxRows is the workspace's
// limit, now the wheel's clock and timeout the workspace's limit.
func (t *track) scanBackend(b []byte, maxRows, now int64, timeout time.Duration) (step, error) {
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
		size := headerLen + payloadLen(rest)
		act, shift := more, t.shift
		if t.backMore {
			if t.swallow {
				act = swallowed
			}
		} else {
			head := min(size, headerLen+maxHead)
			if len(rest) < head {
				return step{pass: pos, need: head}, nil
			}
			if size == headerLen {
				return step{pass: pos}, errMalformed
			}
			act = t.packet(rest[headerLen:head], size-headerLen, maxRows, now, timeout)
		}
		switch act {
		case record, awaitQuiet:
			return step{pass: pos, act: act, size: size}, nil
		}
		t.backMore = size == headerLen+maxPayload
		t.swallow = act != more
		t.backPass = size
		if act == more {
			rest[3] += shift
			t.sequence = rest[3]
			continue
		}
		return step{pass: pos, act: act, size: min(size, len(rest)), sequence: rest[3] + shift}, nil
	}
	return step{pass: pos}, nil
}

// packet settles one payload of size bytes that begins with head.
func (t *track) packet(head []byte, size int, maxRows, now int64, timeout time.Duration) verdict {
	if !t.owed {
		// The server's last words, or it does what we don't understand.
		t.lost, t.erred = true, head[0] == mysql.ERR_HEADER
		return more
	}
	e := t.classify(head, size)
	ends := e.part == partLast || e.part == partFailure
	if ends && t.stop != running && !t.unkilled {
		return awaitQuiet
	}
	if ends && t.announce && !t.recorded {
		return record
	}
	act := t.enforced(e, head, maxRows)
	t.phase, t.left = e.phase, e.left
	t.erred = e.part == partFailure
	switch e.part {
	case partRow:
		t.rows++
	case partResult:
		t.endResult()
		t.arm(now, timeout)
	case partFile:
		if refused := t.refusesFile(); refused != more {
			return refused
		}
		t.infile = true
		t.deadline = 0 // it is the client who works
	case partLast, partFailure:
		if t.quiet > 0 {
			t.quiet--
			t.phase = phaseFirst
			return swallowed
		}
		t.endResult()
		t.endReply()
	}
	return act
}

// enforced applies the limits to a packet.
func (t *track) enforced(e event, head []byte, maxRows int64) verdict {
	switch {
	case t.told:
		return swallowed
	case t.stop == timedOut && (e.part == partRow || e.part == partFailure && errorNumber(head) == numberInterrupted):
		// SLEEP() that is interrupted is a row with 1 on MySQL.
		t.told = true
		return rewrite
	case t.stop == running && e.part == partRow && maxRows > 0 && t.rows >= maxRows:
		t.stop, t.told = tooManyRows, true
		return limitRows
	}
	return more
}

// endResult settles the rows of one result.
func (t *track) endResult() {
	t.statements.fetched(t.command, t.prepared, t.opening, t.rows)
	t.rows = 0
}

// endReply settles the command at hand.
func (t *track) endReply() {
	if t.infile {
		// What the client still sends of its file the server may take for
		// commands.
		t.lost = true
	}
	if t.command == mysql.COM_RESET_CONNECTION {
		t.statements.forgetAll()
	}
	t.letGo()
	t.owed, t.opening, t.mayLoad, t.announce, t.recorded = false, false, false, false, false
	t.phase, t.left, t.shift, t.deadline = phaseFirst, 0, 0, 0
	t.stop, t.told, t.unkilled = running, false, false
}

// letGo says that the KILL at hand has arrived.
func (t *track) letGo() {
	if t.killing != nil {
		t.killing.kills.Done()
		t.killing = nil
	}
}

func (t *track) arm(now int64, timeout time.Duration) {
	t.deadline = 0
	if timeout > 0 && t.stop == running {
		t.deadline = now + int64(timeout)
	}
}

// dropBack settles n bytes of the backend's that the relay did not pass on.
func (t *track) dropBack(n int) { t.backPass -= n }

// idle says whether the session is between commands, at a packet's edge in
// both directions.
func (t *track) idle() bool {
	return !t.owed && t.frontPass == 0 && !t.frontMore && t.backPass == 0 && !t.infile
}

// reusable says whether the backend's state is known well enough to reset it.
func (t *track) reusable() bool { return t.idle() && !t.lost && t.stop == running }

// finishes says whether what is owed comes without another word from the
// client. It does not within a packet or a file.
func (t *track) finishes() bool { return t.frontPass == 0 && !t.frontMore && !t.infile && !t.lost }
