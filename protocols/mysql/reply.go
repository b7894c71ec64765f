package mysql

import (
	"encoding/binary"

	"github.com/go-mysql-org/go-mysql/mysql"
)

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
