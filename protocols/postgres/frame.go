package postgres

import (
	"encoding/binary"

	"github.com/jackc/pgproto3/v2"
)

const (
	// headerLen is a frame's type byte and length word.
	headerLen = 5
	// maxFrame bounds a frame either way. A length of 4 GiB or more would wrap
	// in a 32-bit sum and smuggle messages (CVE-2024-27304); PostgreSQL itself
	// sends and takes none above 1 GiB.
	maxFrame = 1 << 30
)

// frameSize reads the header at b[0], which must hold headerLen bytes, and
// gives the frame's whole size, header included.
func frameSize(b []byte) (int, error) {
	length := binary.BigEndian.Uint32(b[1:headerLen])
	if length < 4 || length > maxFrame {
		return 0, fatal(codeProtocolViolation, "invalid length %d of message type %d", length, b[0])
	}
	return int(length) + 1, nil
}

// cstring is the bytes of b before its first NUL; ok is false where there is
// none.
func cstring(b []byte) (s []byte, ok bool) {
	for i, c := range b {
		if c == 0 {
			return b[:i], true
		}
	}
	return nil, false
}

// errorCode finds the SQLSTATE field of an ErrorResponse or NoticeResponse
// body; nil where there is none, as a backend may leave it out
// (CVE-2026-6666).
func errorCode(body []byte) []byte { return field(body, 'C') }

// noticeText is the message of a NoticeResponse body.
func noticeText(body []byte) string { return string(field(body, 'M')) }

// field finds a field of an ErrorResponse or NoticeResponse body.
func field(body []byte, typ byte) []byte {
	for len(body) > 1 && body[0] != 0 {
		value, ok := cstring(body[1:])
		if !ok {
			return nil
		}
		if body[0] == typ {
			return value
		}
		body = body[2+len(value):]
	}
	return nil
}

// encode appends m to dst. The messages that we make ourselves are far below
// the 1 GiB above which pgproto3 refuses to.
func encode(dst []byte, m pgproto3.Message) []byte {
	out, err := m.Encode(dst)
	if err != nil {
		return dst
	}
	return out
}
