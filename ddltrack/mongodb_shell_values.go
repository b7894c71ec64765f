package ddltrack

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// lastDate is the greatest distance from 1970 that JavaScript's dates have, in
// milliseconds (https://tc39.es/ecma262/#sec-timeclip).
const lastDate = 8_640_000_000_000_000

// typeMark is the field by which JavaScript's BSON libraries know their types.
const typeMark = "_bsontype"

// speakable says whether JavaScript has a value that is the same as v. It has
// none for a document with two fields of one name, nor for some old types.
func speakable(v any) bool {
	switch v := v.(type) {
	case bson.D:
		seen := make(map[string]struct{}, len(v))
		for _, e := range v {
			if _, twice := seen[e.Key]; twice || e.Key == typeMark || !speakable(e.Value) {
				return false
			}
			seen[e.Key] = struct{}{}
		}
	case bson.A:
		for _, e := range v {
			if !speakable(e) {
				return false
			}
		}
	case bson.CodeWithScope:
		scope, ok := v.Scope.(bson.D)
		return ok && speakable(scope)
	case bson.DateTime:
		return v >= -lastDate && v <= lastDate
	case bson.Undefined, bson.DBPointer:
		return false
	}
	return true
}

// writeJS writes a BSON value as an expression of mongosh that gives the same
// value.
func writeJS(b *strings.Builder, v any) {
	switch v := v.(type) {
	case bson.D:
		writeDocumentJS(b, v)
	case bson.A:
		b.WriteString("[")
		for i, e := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			writeJS(b, e)
		}
		b.WriteString("]")
	case bson.CodeWithScope:
		b.WriteString("Code(" + quoteJS(string(v.Code)) + ", ")
		writeJS(b, v.Scope)
		b.WriteString(")")
	default:
		b.WriteString(scalarJS(v))
	}
}

// writeDocumentJS writes an object; where that would not keep the order of its
// fields, a map.
func writeDocumentJS(b *strings.Builder, d bson.D) {
	open, between, shut, name := "{", ": ", "}", keyJS
	if reordered(d) {
		b.WriteString("new Map([")
		defer b.WriteString("])")
		open, between, shut, name = "[", ", ", "]", quoteJS
	} else {
		b.WriteString("{")
		defer b.WriteString("}")
		open, shut = "", ""
	}
	for i, e := range d {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(open + name(e.Key) + between)
		writeJS(b, e.Value)
		b.WriteString(shut)
	}
}

// reordered says whether an object with these fields has them in another order:
// JavaScript puts those that are numbers of an array first, in ascending order
// (https://tc39.es/ecma262/#sec-ordinaryownpropertykeys).
func reordered(d bson.D) bool {
	last, words := int64(-1), false
	for _, e := range d {
		n, err := strconv.ParseUint(e.Key, 10, 32)
		if err != nil || n == math.MaxUint32 || strconv.FormatUint(n, 10) != e.Key {
			words = true
			continue
		}
		if words || int64(n) < last {
			return true
		}
		last = int64(n)
	}
	return false
}

func scalarJS(v any) string {
	switch v := v.(type) {
	case nil, bson.Null:
		return "null"
	case string:
		return quoteJS(v)
	case bool:
		return strconv.FormatBool(v)
	case int32:
		return strconv.FormatInt(int64(v), 10)
	case int64:
		return fmt.Sprintf("NumberLong(%q)", strconv.FormatInt(v, 10))
	case float64:
		return doubleJS(v)
	case bson.Decimal128:
		return fmt.Sprintf("NumberDecimal(%q)", v.String())
	case bson.ObjectID:
		return fmt.Sprintf("ObjectId(%q)", v.Hex())
	case bson.DateTime:
		if t := v.Time().UTC(); t.Year() >= 0 && t.Year() <= 9999 {
			return fmt.Sprintf("ISODate(%q)", t.Format("2006-01-02T15:04:05.000Z"))
		}
		return fmt.Sprintf("new Date(%d)", int64(v))
	case bson.Binary:
		if v.Subtype == 4 && len(v.Data) == 16 {
			h := hex.EncodeToString(v.Data)
			return fmt.Sprintf("UUID(%q)", h[:8]+"-"+h[8:12]+"-"+h[12:16]+"-"+h[16:20]+"-"+h[20:])
		}
		return fmt.Sprintf("BinData(%d, %q)", v.Subtype, base64.StdEncoding.EncodeToString(v.Data))
	case bson.Regex:
		return fmt.Sprintf("BSONRegExp(%s, %s)", quoteJS(v.Pattern), quoteJS(v.Options))
	case bson.Timestamp:
		return fmt.Sprintf("Timestamp({t: %d, i: %d})", v.T, v.I)
	case bson.MinKey:
		return "MinKey()"
	case bson.MaxKey:
		return "MaxKey()"
	case bson.JavaScript:
		return fmt.Sprintf("Code(%s)", quoteJS(string(v)))
	case bson.Symbol:
		return fmt.Sprintf("BSONSymbol(%s)", quoteJS(string(v)))
	}
	return "undefined"
}

// doubleJS keeps a whole number a double.
func doubleJS(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == math.Trunc(f) && math.Abs(f) <= 1<<31:
		return fmt.Sprintf("Double(%s)", strconv.FormatFloat(f, 'g', -1, 64))
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// quoteJS is a string literal; JSON's are JavaScript's.
func quoteJS(s string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// keyJS is a field's name, quoted where it has to be. In brackets, __proto__ is a
// name like any other.
func keyJS(key string) string {
	switch {
	case key == "__proto__":
		return `["__proto__"]`
	case plainWord(key):
		return key
	}
	return quoteJS(key)
}

// plainWord says whether s is a name that JavaScript takes as it is.
func plainWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c == '$' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
