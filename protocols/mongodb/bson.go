package mongodb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
)

// The BSON types that rules look at (https://bsonspec.org/spec.html).
const (
	typeDouble     = 0x01
	typeString     = 0x02
	typeDocument   = 0x03
	typeArray      = 0x04
	typeBinary     = 0x05
	typeBoolean    = 0x08
	typeRegex      = 0x0B
	typeDBPointer  = 0x0C
	typeCode       = 0x0D
	typeSymbol     = 0x0E
	typeCodeScope  = 0x0F
	typeInt32      = 0x10
	typeTimestamp  = 0x11
	typeInt64      = 0x12
	typeDecimal128 = 0x13
)

// maxDepth is how deep documents may nest, as the server has it.
const maxDepth = 180

var (
	errBSON  = errors.New("document is not well-formed")
	errDepth = errors.New("document is nested too deeply")
)

// element is one element of a document, in place.
type element struct {
	kind  byte
	key   []byte
	value []byte
	at    int // of its kind, from the document's begin
}

// walk goes over the elements of the document at b[0], which is whole. Values
// are bounded, and not looked into.
type walk struct {
	b   []byte
	pos int
}

// document begins a walk over b, which must be one whole document.
func document(b []byte) (walk, error) {
	if len(b) < 5 || int(int32(binary.LittleEndian.Uint32(b))) != len(b) || b[len(b)-1] != 0 {
		return walk{}, errBSON
	}
	return walk{b: b[:len(b)-1], pos: 4}, nil
}

// more says whether there is another element.
func (w *walk) more() bool { return w.pos < len(w.b) }

// next is the next element.
func (w *walk) next() (element, error) {
	rest := w.b[w.pos:]
	name := bytes.IndexByte(rest[1:], 0)
	if name < 0 {
		return element{}, errBSON
	}
	head := 1 + name + 1
	size := valueSize(rest[0], rest[head:])
	if size < 0 || size > len(rest)-head {
		return element{}, errBSON
	}
	e := element{kind: rest[0], key: rest[1 : 1+name], value: rest[head : head+size], at: w.pos}
	w.pos += head + size
	return e, nil
}

// valueSize is how many bytes a value of that kind at b[0] has, which may be
// more than there are; negative where it is none.
func valueSize(kind byte, b []byte) int {
	switch kind {
	case 0x06, 0x0A, 0x7F, 0xFF: // undefined, null, MaxKey, MinKey
		return 0
	case typeBoolean:
		return 1
	case typeInt32:
		return 4
	case typeDouble, 0x09, typeTimestamp, typeInt64: // and dates
		return 8
	case 0x07: // ObjectId
		return 12
	case typeDecimal128:
		return 16
	case typeString, typeCode, typeSymbol:
		return sized(b, 4, 1)
	case typeDocument, typeArray:
		return sized(b, 0, 5)
	case typeCodeScope:
		return sized(b, 0, 14)
	case typeBinary:
		return sized(b, 5, 0)
	case typeDBPointer:
		return sized(b, 16, 1)
	case typeRegex:
		pattern := bytes.IndexByte(b, 0)
		if pattern < 0 {
			return -1
		}
		options := bytes.IndexByte(b[pattern+1:], 0)
		if options < 0 {
			return -1
		}
		return pattern + 1 + options + 1
	}
	return -1
}

// sized is a value that begins with its length, without extra bytes of it.
func sized(b []byte, extra, least int) int {
	if len(b) < 4 {
		return -1
	}
	n := int(int32(binary.LittleEndian.Uint32(b)))
	if n < least {
		return -1
	}
	return n + extra
}

// lookup is the first element of that name; a zero element where there is none.
func lookup(doc []byte, key string) (element, error) {
	w, err := document(doc)
	if err != nil {
		return element{}, err
	}
	for w.more() {
		e, err := w.next()
		if err != nil || string(e.key) == key {
			return e, err
		}
	}
	return element{}, nil
}

// text is a string's content; ok is false for what is no string.
func (e element) text() (s []byte, ok bool) {
	if e.kind != typeString && e.kind != typeSymbol || e.value[len(e.value)-1] != 0 {
		return nil, false
	}
	return e.value[4 : len(e.value)-1], true
}

// number is a number's integral part.
func (e element) number() (n int64, ok bool) {
	switch e.kind {
	case typeInt32:
		return int64(int32(binary.LittleEndian.Uint32(e.value))), true
	case typeInt64:
		return int64(binary.LittleEndian.Uint64(e.value)), true
	case typeDouble:
		return int64(math.Float64frombits(binary.LittleEndian.Uint64(e.value))), true
	}
	return 0, false
}

// truth is whether the server takes the value for true.
func (e element) truth() bool {
	if e.kind == typeBoolean {
		return e.value[0] != 0
	}
	n, ok := e.number()
	return ok && n != 0
}

// nested says whether the value is a document or an array.
func (e element) nested() bool { return e.kind == typeDocument || e.kind == typeArray }

// every calls visit for each element at any depth. An error ends it.
func every(doc []byte, depth int, visit func(e element) error) error {
	if depth > maxDepth {
		return errDepth
	}
	w, err := document(doc)
	if err != nil {
		return err
	}
	for w.more() {
		e, err := w.next()
		if err != nil {
			return err
		}
		if err := visit(e); err != nil {
			return err
		}
		if e.nested() {
			if err := every(e.value, depth+1, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// count is how many elements an array has.
func count(array []byte) (n int64, err error) {
	w, err := document(array)
	if err != nil {
		return 0, err
	}
	for w.more() {
		if _, err := w.next(); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// printable is a name for an error's text, bounded and without control
// characters.
func printable(name []byte) string {
	const most = 64
	if len(name) > most {
		name = name[:most]
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return '?'
		}
		return c
	}, strings.ToValidUTF8(string(name), "?"))
}
