package redis

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/tidwall/redcon"
)

const (
	// maxBulk and maxArgs are Redis's own bounds of a request
	// (proto-max-bulk-len, and an int).
	maxBulk = 512 << 20
	maxArgs = 1<<31 - 1
	// maxInline bounds a line: an inline command, a header, a status or error.
	maxInline = 64 << 10
	// maxHeld bounds what is held of a command or reply to be looked at.
	maxHeld = 1 << 20
	// maxName is longer than every command's name; a longer one is unknown to
	// the server too.
	maxName = 32
)

// errShort says that the bytes at hand end within what is to be read.
var errShort = errors.New("more bytes are needed")

// protocolError is a request that can't be framed; the session ends with it,
// as in Redis.
type protocolError string

func (e protocolError) Error() string { return "Protocol error: " + string(e) }

// header reads the number of a line "*3\r\n" or "$5\r\n" at b[0] and gives the
// place after it. It is as strict as Redis: no sign but a minus, no spaces, no
// leading zeros.
func header(b []byte) (n int64, size int, err error) {
	// Nearly all are a few digits. (A line feed in the place of the kind would
	// be the end of the line.)
	for i := 1; i+1 < len(b) && i <= maxShortHeader; i++ {
		digit := b[i] - '0'
		if digit <= 9 {
			n = n*10 + int64(digit)
			continue
		}
		if i > 1 && b[i] == '\r' && b[i+1] == '\n' && (b[1] != '0' || i == 2) && b[0] != '\n' {
			return n, i + 2, nil
		}
		break
	}
	return longHeader(b)
}

// maxShortHeader is how many digits header reads without a look at the end of
// the line.
const maxShortHeader = 9

func longHeader(b []byte) (n int64, size int, err error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if len(b) > maxInline {
			return 0, 0, protocolError("too big count string")
		}
		return 0, 0, errShort
	}
	if end < 3 || b[end-1] != '\r' {
		return 0, 0, protocolError("invalid length")
	}
	n, ok := number(b[1 : end-1])
	if !ok {
		return 0, 0, protocolError("invalid length")
	}
	return n, end + 1, nil
}

// number parses a decimal integer in its canonical spelling.
func number(digits []byte) (n int64, ok bool) {
	negative := len(digits) > 0 && digits[0] == '-'
	if negative {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 18 || digits[0] == '0' && len(digits) > 1 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		return -n, n != 0
	}
	return n, true
}

// commandHeader reads "*n\r\n". A count below one is an empty command, which
// Redis passes over without an answer.
func commandHeader(b []byte) (args, size int, err error) {
	n, size, err := header(b)
	if err != nil && errors.Is(err, errShort) {
		return 0, 0, err
	}
	if err != nil || n > maxArgs {
		return 0, 0, protocolError("invalid multibulk length")
	}
	return max(int(n), 0), size, nil
}

// bulkHeader reads "$n\r\n".
func bulkHeader(b []byte) (length, size int, err error) {
	if len(b) == 0 {
		return 0, 0, errShort
	}
	if b[0] != '$' {
		return 0, 0, protocolError("expected '$', got '" + printable(b[0]) + "'")
	}
	n, size, err := header(b)
	if err != nil && errors.Is(err, errShort) {
		return 0, 0, err
	}
	if err != nil || n < 0 || n > maxBulk {
		return 0, 0, protocolError("invalid bulk length")
	}
	return int(n), size, nil
}

func printable(c byte) string {
	if c < ' ' || c > '~' {
		return "?"
	}
	return string(rune(c))
}

// bulk reads the whole argument at b[0] and gives its value, which is part of
// b, and the place after it.
func bulk(b []byte) (value []byte, size int, err error) {
	n, head, err := bulkHeader(b)
	if err != nil {
		return nil, 0, err
	}
	if len(b) < head+n+2 {
		return nil, head + n + 2, errShort
	}
	return b[head : head+n], head + n + 2, nil
}

// arguments reads the first n arguments at b[0], appends them to dst and gives
// the place after them. They are part of b. Where b is too short, size is how
// many bytes are known to be needed.
func arguments(dst [][]byte, b []byte, n int) (args [][]byte, size int, err error) {
	for range n {
		value, step, err := bulk(b[size:])
		if err != nil {
			return dst, max(size+step, len(b)+1), err
		}
		dst = append(dst, value)
		size += step
	}
	return dst, size, nil
}

// inline splits a line as Redis does: words between blanks, "double quotes"
// with escapes, 'single quotes'. ok is false where quotes don't balance.
func inline(line []byte) (args [][]byte, ok bool) {
	for {
		line = bytes.TrimLeft(line, " \t\r\n\v\f\x00")
		if len(line) == 0 {
			return args, true
		}
		word, rest, ok := inlineWord(line)
		if !ok {
			return nil, false
		}
		args, line = append(args, word), rest
	}
}

func inlineWord(line []byte) (word, rest []byte, ok bool) {
	word = []byte{}
	var quote byte
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote != 0 && c == quote:
			if i+1 < len(line) && !isBlank(line[i+1]) {
				return nil, nil, false
			}
			return word, line[i+1:], true
		case quote == '"' && c == '\\' && i+1 < len(line):
			i++
			if line[i] == 'x' && i+2 < len(line) && isHex(line[i+1]) && isHex(line[i+2]) {
				v, _ := strconv.ParseUint(string(line[i+1:i+3]), 16, 8)
				word = append(word, byte(v))
				i += 2
				break
			}
			word = append(word, unescape(line[i]))
		case quote == '\'' && c == '\\' && i+1 < len(line) && line[i+1] == '\'':
			i++
			word = append(word, '\'')
		case quote != 0:
			word = append(word, c)
		case isBlank(c):
			return word, line[i:], true
		case c == '"' || c == '\'':
			quote = c
		default:
			word = append(word, c)
		}
	}
	return word, nil, quote == 0
}

func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' || c == 0 }

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}

// appendCommand encodes a command.
func appendCommand[S ~string | ~[]byte](dst []byte, args ...S) []byte {
	dst = redcon.AppendArray(dst, len(args))
	for _, arg := range args {
		dst = redcon.AppendBulk(dst, []byte(arg))
	}
	return dst
}

// appendHeader is for the kinds of RESP3, which redcon does not have, and for
// a bulk string whose bytes follow in pieces.
func appendHeader(dst []byte, kind byte, n int) []byte {
	dst = append(dst, kind)
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, '\r', '\n')
}

// appendBulkOf encodes what any kind frames as a bulk string is.
func appendBulkOf(dst []byte, kind byte, value string) []byte {
	dst = appendHeader(dst, kind, len(value))
	dst = append(dst, value...)
	return append(dst, '\r', '\n')
}

// lower folds name into buf; ok is false where it is longer than any command.
func lower(buf *[maxName]byte, name []byte) (folded []byte, ok bool) {
	if len(name) > maxName {
		return nil, false
	}
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	return buf[:len(name)], true
}

// is says whether arg is word, which is in lower case, in any letter case.
func is(arg []byte, word string) bool {
	if len(arg) != len(word) {
		return false
	}
	for i, c := range arg {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
