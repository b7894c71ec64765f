package mongodb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// The opcodes that are spoken
// (https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/).
const (
	opReply      = 1
	opQuery      = 2004
	opCompressed = 2012
	opMsg        = 2013
)

// Flags of OP_MSG. A bit among the first sixteen that we do not know must be
// refused; those above may be ignored.
const (
	flagChecksum       = 1 << 0
	flagMoreToCome     = 1 << 1
	flagExhaustAllowed = 1 << 16
	flagsRequired      = 0xFFFF
)

const (
	headerSize = 16
	// maxMessage is maxMessageSizeBytes of all servers. maxReply is what a
	// server's answer may have: it is held, and FerretDB does not keep its
	// batches to 16 MB as MongoDB does.
	maxMessage = 48_000_000
	maxReply   = 64 << 20
	// maxStartup bounds a message of a client that is not authenticated.
	maxStartup = 16 << 10
)

// protocolError is a client that does not speak the protocol: nothing that it
// sends from there on can be understood.
type protocolError string

func (e protocolError) Error() string { return "protocol: " + string(e) }

// errShort says that more bytes are needed to go on.
var errShort = errors.New("message is not here yet")

// header is the head of every message.
type header struct {
	length, requestID, responseTo, opcode int32
}

// readHeader is the header at b[0], with a length that is in bounds.
func readHeader(b []byte, most int32) (header, error) {
	if len(b) < headerSize {
		return header{}, errShort
	}
	h := header{
		int32(binary.LittleEndian.Uint32(b)),
		int32(binary.LittleEndian.Uint32(b[4:])),
		int32(binary.LittleEndian.Uint32(b[8:])),
		int32(binary.LittleEndian.Uint32(b[12:])),
	}
	if h.length < headerSize || h.length > most {
		return header{}, protocolError(fmt.Sprintf("message length %d is not in %d to %d", h.length, headerSize, most))
	}
	return h, nil
}

// message is an OP_MSG in place. Its views are valid as long as the bytes it
// was parsed from.
type message struct {
	header
	flags  uint32
	body   []byte // the command or its reply
	bodyAt int    // where the body begins
	end    int    // where the sections end: before the checksum, if any
	known  int    // how far the sections were seen
	// sequences are the names of the document sequences, of which no command
	// has more than two.
	sequences [2][]byte
	documents [2][]byte // of each sequence, where they are held
	n         int
}

// parseMessage reads the OP_MSG that begins at b[0] and has header h. Where the
// body is not in b the error is errShort, and need is how many bytes must be. A
// document sequence after the body may be missing where it is the last section.
func parseMessage(b []byte, h header, m *message) (need int, err error) {
	*m = message{header: h}
	if len(b) < headerSize+4 {
		return headerSize + 4, errShort
	}
	m.flags = binary.LittleEndian.Uint32(b[headerSize:])
	if unknown := m.flags & flagsRequired &^ (flagChecksum | flagMoreToCome); unknown != 0 {
		return 0, protocolError(fmt.Sprintf("OP_MSG has unknown flags %#x", unknown))
	}
	m.end = int(h.length)
	if m.flags&flagChecksum != 0 {
		m.end -= 4
	}
	m.known = headerSize + 4
	for m.known < m.end {
		if need, err := m.section(b); err != nil {
			return need, err
		}
	}
	if m.body == nil || m.known != m.end {
		return 0, protocolError("OP_MSG has no body")
	}
	return 0, nil
}

// section reads the section at m.known.
func (m *message) section(b []byte) (need int, err error) {
	at := m.known
	if len(b) < at+5 {
		if m.end < at+5 {
			return 0, protocolError("OP_MSG ends within a section")
		}
		return at + 5, errShort
	}
	size := int(int32(binary.LittleEndian.Uint32(b[at+1:])))
	if size < 5 || size > m.end-at-1 {
		return 0, protocolError(fmt.Sprintf("OP_MSG has a section of %d bytes", size))
	}
	switch next := at + 1 + size; {
	case b[at] == 0 && m.body != nil:
		return 0, protocolError("OP_MSG has two bodies")
	case b[at] == 0:
		if len(b) < next {
			return next, errShort
		}
		m.body, m.bodyAt, m.known = b[at+1:next], at+1, next
		return 0, nil
	case b[at] == 1:
		return m.sequence(b, at, next)
	}
	return 0, protocolError(fmt.Sprintf("OP_MSG has a section of kind %d", b[at]))
}

// maxSequenceName is above the length of every sequence's name.
const maxSequenceName = 32

// sequence reads the document sequence from at to next.
func (m *message) sequence(b []byte, at, next int) (need int, err error) {
	if m.n == len(m.sequences) {
		return 0, protocolError("OP_MSG has too many document sequences")
	}
	head := b[at+5 : min(len(b), next)]
	name := bytes.IndexByte(head[:min(len(head), maxSequenceName)], 0)
	if name < 0 {
		if len(b) >= next || len(head) >= maxSequenceName {
			return 0, protocolError("OP_MSG has a document sequence without a name")
		}
		return min(next, at+5+maxSequenceName), errShort
	}
	switch {
	case len(b) >= next:
		m.documents[m.n] = b[at+5+name+1 : next]
	case m.body == nil || next != m.end || string(head[:name]) == "nsInfo":
		return next, errShort // it, or what follows it, must be seen
	}
	m.sequences[m.n] = head[:name]
	m.n++
	m.known = next
	return 0, nil
}

// appendMessage is the OP_MSG of a body.
func appendMessage(dst []byte, requestID, responseTo int32, flags uint32, body []byte) []byte {
	dst = appendHeader(dst, header{int32(headerSize + 5 + len(body)), requestID, responseTo, opMsg})
	dst = binary.LittleEndian.AppendUint32(dst, flags)
	dst = append(dst, 0)
	return append(dst, body...)
}

// appendReply is the OP_REPLY of a document, to a legacy OP_QUERY.
func appendReply(dst []byte, requestID, responseTo int32, doc []byte) []byte {
	dst = appendHeader(dst, header{int32(headerSize + 20 + len(doc)), requestID, responseTo, opReply})
	dst = binary.LittleEndian.AppendUint32(dst, 8) // AwaitCapable, as all servers say
	dst = binary.LittleEndian.AppendUint64(dst, 0) // no cursor
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint32(dst, 1)
	return append(dst, doc...)
}

func appendHeader(dst []byte, h header) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(h.length))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(h.requestID))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(h.responseTo))
	return binary.LittleEndian.AppendUint32(dst, uint32(h.opcode))
}

// query is a legacy OP_QUERY in place.
type query struct {
	collection []byte
	document   []byte
}

// parseQuery reads the OP_QUERY that is all of b.
func parseQuery(b []byte) (query, error) {
	const flags = headerSize + 4
	if len(b) < flags {
		return query{}, protocolError("OP_QUERY is too short")
	}
	name := bytes.IndexByte(b[flags:], 0)
	if name < 0 || len(b) < flags+name+1+8+5 {
		return query{}, protocolError("OP_QUERY is too short")
	}
	rest := b[flags+name+1+8:]
	size := int(int32(binary.LittleEndian.Uint32(rest)))
	if size < 5 || size > len(rest) {
		return query{}, protocolError("OP_QUERY has a document of a wrong size")
	}
	return query{b[flags : flags+name], rest[:size]}, nil
}
