package mysql

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// headerLen is a packet's length of three bytes and its sequence number.
	headerLen = 4
	// maxPayload is the longest payload of one packet. A payload that fills it
	// goes on in the next packet, which may be empty.
	maxPayload = 1<<24 - 1
)

// payloadLen is the length of the payload behind the header at b[0], which
// must hold headerLen bytes.
func payloadLen(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// appendPacket adds payload, which is shorter than maxPayload, as one packet.
func appendPacket(dst []byte, sequence byte, payload []byte) []byte {
	n := len(payload)
	dst = append(dst, byte(n), byte(n>>8), byte(n>>16), sequence)
	return append(dst, payload...)
}

// readPacket reads one packet whose payload has at most limit bytes, and never
// one byte more.
func readPacket(conn io.Reader, limit int) (payload []byte, sequence byte, err error) {
	var header [headerLen]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return nil, 0, err
	}
	n := payloadLen(header[:])
	if n == 0 {
		return nil, header[3], nil
	}
	if n > limit {
		return nil, header[3], fmt.Errorf("packet of %d bytes where %d are allowed", n, limit)
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(conn, payload); err != nil {
		return nil, 0, err
	}
	return payload, header[3], nil
}

// errMalformed is what a reader of a packet that ends too early tells.
var errMalformed = errors.New("malformed packet")

// fields reads a payload from its front. After the first read beyond the end
// every read gives nothing and bad stays true.
type fields struct {
	b   []byte
	bad bool
}

// take gives the next n bytes, without a copy.
func (f *fields) take(n int) []byte {
	if f.bad || n < 0 || n > len(f.b) {
		f.bad = true
		return nil
	}
	taken := f.b[:n]
	f.b = f.b[n:]
	return taken
}

func (f *fields) byte() byte {
	if b := f.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (f *fields) uint16() uint16 {
	if b := f.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (f *fields) uint32() uint32 {
	if b := f.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// lenenc is the next length-encoded integer.
func (f *fields) lenenc() uint64 {
	switch first := f.byte(); first {
	case 0xfc:
		return uint64(f.uint16())
	case 0xfd:
		b := f.take(3)
		if b == nil {
			return 0
		}
		return uint64(payloadLen(b))
	case 0xfe:
		b := f.take(8)
		if b == nil {
			return 0
		}
		return binary.LittleEndian.Uint64(b)
	case 0xfb, 0xff:
		f.bad = true // NULL and ERR are no integers
		return 0
	default:
		return uint64(first)
	}
}

// lenencBytes is the next string with its length before it.
func (f *fields) lenencBytes() []byte {
	n := f.lenenc()
	if n > uint64(len(f.b)) {
		f.bad = true
		return nil
	}
	return f.take(int(n))
}

// cstring is the next string up to its NUL.
func (f *fields) cstring() string {
	i := bytes.IndexByte(f.b, 0)
	if i < 0 {
		f.bad = true
		return ""
	}
	s := string(f.take(i))
	f.take(1)
	return s
}

// lastCstring is cstring for a field that may be the packet's last and then
// lacks its NUL in some clients.
func (f *fields) lastCstring() string {
	if bytes.IndexByte(f.b, 0) >= 0 {
		return f.cstring()
	}
	return string(f.take(len(f.b)))
}
