package mysql

import (
	"encoding/binary"
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
	statements   statements

	// The command at hand.
	owed     bool // its reply has not ended
	command  byte
	prepared uint32 // the statement that it executes or fetches from
	opening  bool   // it asks for a cursor
	judged   bool   // it was looked at by the rules, and may go
	announce bool   // it may change the schema: record before its reply ends
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
	more       verdict = iota // read more: at least need bytes in all, or any where need is 0
	terminate                 // frontend: the client said goodbye
	busy                      // frontend: wait until the reply at hand has ended
	judge                     // frontend: announce this statement
	mapKill                   // frontend: put the server's number in the place of ours
	changeUser                // frontend: let the client authenticate anew
	dropped                   // frontend: size bytes of a refused command
	refuse                    // frontend: say that the command is refused
	record                    // backend: record the schema change before this packet passes
	awaitQuiet                // backend: let KILLs arrive before this packet passes
	limitRows                 // backend: say that the row limit is reached, then drop size bytes
	rewrite                   // backend: say that the timeout is reached, then drop size bytes
	swallowed                 // backend: drop size bytes
)

// step is the result of a scan: pass bytes go on as they are, then act is due.
type step struct {
	pass int
	act  verdict
	size int  // of the packet that act is about, header included
	need int  // for more
	kill kill // for mapKill
	// sequence is the number of the packet that limitRows and rewrite replace.
	sequence byte
}

// maxHead is as much of a payload as tells what a packet is: an OK's status
// behind two length-encoded integers.
const maxHead = 24

// part is what a packet is in its reply.
type part uint8

const (
	partOther   part = iota // passes
	partRow                 // a row of a result
	partResult              // ends a result, and others follow
	partFile                // asks the client for a file
	partLast                // ends the reply
	partFailure             // ends the reply with an error
)

// event is a packet in its reply: what it is, and what comes next.
type event struct {
	part  part
	phase phase
	left  int
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

// classify tells what a packet of the reply at hand is.
func (t *track) classify(head []byte, size int) event {
	if head[0] == mysql.ERR_HEADER {
		if errorNumber(head) == numberProgress {
			return event{partOther, t.phase, t.left}
		}
		return event{part: partFailure}
	}
	switch t.phase {
	case phaseColumns:
		if t.left > 1 {
			return event{partOther, phaseColumns, t.left - 1}
		}
		return event{partOther, t.afterColumns(), 0}
	case phaseBetween:
		if t.opening && eofStatus(head)&mysql.SERVER_STATUS_CURSOR_EXISTS != 0 {
			return event{part: partLast}
		}
		return event{partOther, phaseRows, 0}
	case phaseRows:
		return t.classifyRow(head, size)
	case phaseCount:
		if t.left > 1 {
			return event{partOther, phaseCount, t.left - 1}
		}
		return event{part: partLast}
	case phaseList:
		if head[0] == mysql.EOF_HEADER {
			return event{part: partLast}
		}
		return event{partOther, phaseList, 0}
	}
	return t.classifyFirst(head, size)
}

// afterColumns is what follows the definitions of a result.
func (t *track) afterColumns() phase {
	if t.capabilities.has(mysql.CLIENT_DEPRECATE_EOF) {
		return phaseRows
	}
	return phaseBetween
}

// classifyRow tells a row from what ends a result. A row may begin with the
// byte of an EOF where its first value is 16 MB or more.
func (t *track) classifyRow(head []byte, size int) event {
	deprecated := t.capabilities.has(mysql.CLIENT_DEPRECATE_EOF)
	if head[0] != mysql.EOF_HEADER || size >= maxPayload || !deprecated && size > 5 {
		return event{partRow, phaseRows, 0}
	}
	status := eofStatus(head)
	if deprecated {
		status = okStatus(head)
	}
	return ended(status)
}

// ended is the end of a result by its status.
func ended(status uint16) event {
	if status&mysql.SERVER_MORE_RESULTS_EXISTS != 0 {
		return event{partResult, phaseFirst, 0}
	}
	return event{part: partLast}
}

// classifyFirst tells what kind of reply begins.
func (t *track) classifyFirst(head []byte, size int) event {
	switch t.command {
	case mysql.COM_QUERY, mysql.COM_PROCESS_INFO, mysql.COM_STMT_EXECUTE, commandBulkExecute:
		return t.classifyResult(head, size)
	case mysql.COM_STMT_PREPARE:
		return t.classifyPrepared(head, size)
	}
	return event{part: partLast}
}

// minOK is the shortest OK packet: its header, two integers, status and
// warnings.
const minOK = 7

func (t *track) classifyResult(head []byte, size int) event {
	switch {
	case head[0] == mysql.OK_HEADER && size >= minOK:
		return ended(okStatus(head))
	case head[0] == mysql.LocalInFile_HEADER:
		return event{partFile, phaseFirst, 0}
	}
	columns, defined := columnCount(head[:min(size, len(head))])
	if columns == 0 || !defined {
		return event{partOther, t.afterColumns(), 0}
	}
	return event{partOther, phaseColumns, columns}
}

// classifyPrepared reads a COM_STMT_PREPARE_OK.
func (t *track) classifyPrepared(head []byte, size int) event {
	f := fields{b: head}
	f.byte()
	id, columns, params := f.uint32(), int(f.uint16()), int(f.uint16())
	if f.bad {
		return event{part: partLast}
	}
	t.statements.prepared(id)
	if f.take(3); size > len(head)-len(f.b) && f.byte() == 0 && t.capabilities.has(mysql.CLIENT_OPTIONAL_RESULTSET_METADATA) {
		return event{part: partLast} // resultset_metadata is NONE
	}
	left := params + columns
	if !t.capabilities.has(mysql.CLIENT_DEPRECATE_EOF) {
		left += min(params, 1) + min(columns, 1) // an EOF behind each
	}
	if left == 0 {
		return event{part: partLast}
	}
	return event{partOther, phaseCount, left}
}

// columnCount reads the first packet of a result set. Whether definitions
// follow is told, where the capabilities have it, by a byte before the count on
// some servers and behind it on others; since it is 0 or 1 and a count is not 0
// the two can't be mistaken.
func columnCount(payload []byte) (columns int, defined bool) {
	f := fields{b: payload}
	n := int(f.lenenc())
	if len(f.b) == 0 {
		return n, true
	}
	behind := f.b[0]
	if payload[0] > 1 || len(payload) == 2 && payload[0] == 1 && behind <= 1 {
		return n, behind == 1
	}
	f = fields{b: payload[1:]}
	return int(f.lenenc()), payload[0] == 1
}

// okStatus is the status of an OK packet.
func okStatus(head []byte) uint16 {
	f := fields{b: head}
	f.byte()
	f.lenenc() // affected rows
	f.lenenc() // last insert id
	return f.uint16()
}

// eofStatus is the status of an EOF packet.
func eofStatus(head []byte) uint16 {
	if len(head) < 5 {
		return 0
	}
	return binary.LittleEndian.Uint16(head[3:])
}

// errorNumber is the number of an ERR packet.
func errorNumber(head []byte) uint16 {
	if len(head) < 3 {
		return 0
	}
	return binary.LittleEndian.Uint16(head[1:])
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
	t.owed, t.opening, t.announce, t.recorded = false, false, false, false
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
