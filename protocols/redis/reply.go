package redis

import (
	"bytes"
	"errors"
)

// maxElements bounds what one reply may announce, all levels together.
const maxElements = 1 << 40

var (
	errReply     = errors.New("malformed reply")
	errReplyLine = errors.New("reply line too long")
	// errPush says that a push comes within a value, and is no part of it.
	errPush = errors.New("a push within a reply")
)

// value finds the end of one reply value, whatever its type and depth, in the
// bytes as they come. The zero value is at rest: begin starts one.
type value struct {
	pending int64 // values still to be seen
	skip    int   // bytes of a bulk still to pass
}

// begin starts a value.
func (v *value) begin() { v.pending = 1 }

// within says that a value has begun and not ended.
func (v *value) within() bool { return v.pending > 0 || v.skip > 0 }

// advance goes over b and gives how much of it belongs to the value; done says
// that it ends there, and errPush that a push comes first.
func (v *value) advance(b []byte) (n int, done bool, err error) {
	for {
		if v.skip > 0 {
			k := min(v.skip, len(b)-n)
			v.skip -= k
			n += k
			if v.skip > 0 {
				return n, false, nil
			}
		}
		if v.pending == 0 {
			return n, true, nil
		}
		size, err := v.line(b[n:])
		if err != nil || size == 0 {
			return n, false, err
		}
		n += size
	}
}

// line takes the line at b[0] into account; size is 0 where it isn't whole.
func (v *value) line(b []byte) (size int, err error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if len(b) > maxHeld {
			return 0, errReplyLine
		}
		return 0, nil
	}
	if end < 2 || b[end-1] != '\r' {
		return 0, errReply
	}
	switch b[0] {
	case '+', '-', ':', '_', '#', ',', '(':
		v.pending--
		return end + 1, nil
	}
	n, ok := number(b[1 : end-1])
	if !ok || n < -1 || n > maxElements {
		return 0, errReply
	}
	count := max(n, 0)
	switch b[0] {
	case '$', '=', '!':
		v.pending--
		if n >= 0 {
			if n > maxBulk*2 {
				return 0, errReply
			}
			v.skip = int(n) + 2
		}
	case '*', '~':
		v.pending += count - 1
	case '%':
		v.pending += 2*count - 1
	case '|': // attributes come before the value that they are about
		v.pending += 2 * count
	case '>':
		return 0, errPush
	default:
		return 0, errReply
	}
	if v.pending > maxElements {
		return 0, errReply
	}
	return end + 1, nil
}

// aggregate reads the header of an array, set or push at b[0].
func aggregate(b []byte) (n, size int, err error) {
	count, size, err := header(b)
	if err != nil {
		if errors.Is(err, errShort) {
			return 0, 0, err
		}
		return 0, 0, errReply
	}
	if count < -1 || count > maxElements {
		return 0, 0, errReply
	}
	return int(count), size, nil
}

// text reads the bulk string at b[0]; null where there is none.
func text(b []byte) (s []byte, null bool, size int, err error) {
	if len(b) < 3 {
		return nil, false, 0, errShort
	}
	if b[0] == '_' {
		return nil, true, 3, nil
	}
	if b[0] != '$' {
		return nil, false, 0, errReply
	}
	n, head, err := header(b)
	switch {
	case errors.Is(err, errShort):
		return nil, false, 0, errShort
	case err != nil || n < -1 || n > maxBulk:
		return nil, false, 0, errReply
	case n == -1:
		return nil, true, head, nil
	case len(b) < head+int(n)+2:
		return nil, false, head + int(n) + 2, errShort
	}
	return b[head : head+int(n)], false, head + int(n) + 2, nil
}

// integer reads ":n\r\n" at b[0].
func integer(b []byte) (n int64, size int, err error) {
	n, size, err = header(b)
	if errors.Is(err, errShort) {
		return 0, 0, err
	}
	if err != nil || b[0] != ':' {
		return 0, 0, errReply
	}
	return n, size, nil
}
