package redis

import (
	"errors"
	"strings"
)

// errUnbalanced is what redis-cli says of a line that it can't split.
var errUnbalanced = errors.New("invalid argument(s): unbalanced quotes, or text right after a closing one")

// splitLine splits a line into arguments as redis-cli does: at white space,
// outside of "…" (with \n, \r, \t, \b, \a, \xHH and \ before any other
// character) and '…' (with \').
func splitLine(line string) ([]string, error) {
	var args []string
	for {
		line = strings.TrimLeft(line, " \t\n\v\f\r") // all that isSpace
		if line == "" {
			return args, nil
		}
		arg, rest, err := splitOne(line)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
		line = rest
	}
}

// splitOne takes the first argument off a line that begins with it. A quote may
// begin in its midst, but must end it.
func splitOne(line string) (arg, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case isSpace(c):
			return b.String(), line[i:], nil
		case c == '"' || c == '\'':
			n, closed := unquote(&b, line[i:])
			if !closed || i+n < len(line) && !isSpace(line[i+n]) {
				return "", "", errUnbalanced
			}
			return b.String(), line[i+n:], nil
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", nil
}

// unquote writes what stands between the quote that text begins with and the
// one that ends it; n is the length of both and what is between.
func unquote(b *strings.Builder, text string) (n int, closed bool) {
	quote := text[0]
	for i := 1; i < len(text); i++ {
		c := text[i]
		switch {
		case c == quote:
			return i + 1, true
		case c != '\\' || i+1 == len(text):
			b.WriteByte(c)
		case quote == '\'':
			if text[i+1] == '\'' {
				c = '\''
				i++
			}
			b.WriteByte(c)
		case text[i+1] == 'x' && i+3 < len(text) && isHex(text[i+2]) && isHex(text[i+3]):
			b.WriteByte(hexDigit(text[i+2])<<4 | hexDigit(text[i+3]))
			i += 3
		default:
			i++
			b.WriteByte(escaped(text[i]))
		}
	}
	return len(text), false
}

// escaped is the character that \c stands for.
func escaped(c byte) byte {
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

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// hexDigit is the value of a digit that isHex.
func hexDigit(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}
