package postgres

import (
	"bytes"

	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
)

// effect is what a statement may do, as far as its first word tells. What a
// function does that a SELECT calls is not told.
type effect uint8

const (
	givesRows effect = 1 << iota
	changes
	ends // commits, or undoes a part of what an error would have kept
)

// longestWord is the longest of those that effectOf knows.
const longestWord = len("savepoint")

// effectOf is the effect of the statement of a Parse, of which frame has the
// beginning. Where that is not the whole text, or begins with a comment, it may
// have any but ends.
func effectOf(frame []byte) effect {
	_, text, named := bytes.Cut(frame[headerLen:], []byte{0})
	text, _, whole := bytes.Cut(text, []byte{0})
	if !named {
		return givesRows | changes
	}
	text = bytes.TrimLeft(text, " \t\r\n\f")
	n := 0
	for n < len(text) && n <= longestWord && isLetter(text[n]) {
		n++
	}
	var word [longestWord]byte
	if n > len(word) {
		return givesRows | changes
	}
	for i, c := range text[:n] {
		word[i] = c | 0x20
	}
	switch string(word[:n]) {
	case "select", "values", "table", "show":
		if whole && !window.ContainsFold(text[n:], "into") {
			return givesRows
		}
	case "insert", "update", "delete", "merge":
		if whole && !window.ContainsFold(text[n:], "returning") {
			return changes
		}
	case "begin", "start":
		return 0
	case "set", "savepoint":
		return changes
	case "commit", "end", "rollback", "abort", "prepare", "release", "do":
		return changes | ends
	case "call":
		return givesRows | changes | ends
	}
	return givesRows | changes
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
