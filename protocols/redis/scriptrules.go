package redis

import (
	"encoding/binary"
	"math"
)

// noRules are those of a workspace without settings for keys.
var noRules = rules{packed: new(rules).pack()}

// pack encodes what a script needs of the rules, in MessagePack
// (https://github.com/msgpack/msgpack/blob/master/spec.md): the seconds of
// default_ttl, and a list of compiled patterns.
func (r *rules) pack() []byte {
	var globs []byte
	n := 0
	for _, p := range r.patterns {
		if glob := appendGlob(nil, p.pattern, p.ttl); glob != nil {
			globs = append(globs, glob...)
			n++
		}
	}
	out := packInt(nil, r.defaultTTL)
	return append(packArray(out, n), globs...)
}

// appendGlob encodes a pattern as Lua's string.find understands it, in parts
// between its stars: {seconds, beginning, length of the end, end, middles…}, and
// {seconds, all, -1} where it has no star. Each part has one item for one
// character, so that finding the parts one after the other decides without going
// back. It is nil for a pattern that nothing matches.
func appendGlob(dst, pattern []byte, ttl int64) []byte {
	if string(pattern) == "*" { // as a setting it means the empty key, too
		return packInt(packString(packInt(packArray(dst, 3), ttl), "^"), -1)
	}
	parts, lengths := [][]byte{[]byte("^")}, []int{0}
	for p := 0; p < len(pattern); {
		last := len(parts) - 1
		if pattern[p] == '*' {
			p++
			if last == 0 || lengths[last] > 0 {
				parts, lengths = append(parts, nil), append(lengths, 0)
			}
			continue
		}
		item, next := luaItem(pattern, p)
		if item == nil {
			return nil
		}
		parts[last] = append(parts[last], item...)
		lengths[last]++
		p = next
	}
	last := len(parts) - 1
	if last == 0 {
		dst = packInt(packArray(dst, 3), ttl)
		return packInt(packString(dst, append(parts[0], '$')), -1)
	}
	dst = packInt(packArray(dst, 3+last), ttl)
	dst = packString(dst, parts[0])
	dst = packInt(dst, int64(lengths[last]))
	dst = packString(dst, append([]byte("^"), parts[last]...))
	for _, middle := range parts[1:last] {
		dst = packString(dst, middle)
	}
	return dst
}

// luaItem is the one character that pattern has at p for Lua; nil where it
// matches none.
func luaItem(pattern []byte, p int) (item []byte, next int) {
	var class []byte
	n := 0
	for c := range 256 {
		end, ok := matchOne(pattern, p, byte(c))
		next = end
		if ok {
			class = appendLuaByte(class, byte(c))
			n++
		}
	}
	switch n {
	case 0:
		return nil, next
	case 1:
		return class, next
	case 256:
		return []byte("."), next
	}
	return append(append([]byte("["), class...), ']'), next
}

// appendLuaByte encodes a character that means itself in a pattern.
func appendLuaByte(dst []byte, c byte) []byte {
	switch {
	case c == 0:
		return append(dst, "%z"...)
	case c < 0x80 && !isLuaName(c):
		return append(dst, '%', c)
	}
	return append(dst, c)
}

func packInt(dst []byte, n int64) []byte {
	if n >= -32 && n <= math.MaxInt8 {
		return append(dst, byte(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(n))
}

func packString[S ~string | ~[]byte](dst []byte, s S) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, 0xdb), uint32(len(s)))
	return append(dst, s...)
}

func packArray(dst []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0xdd), uint32(n))
}
