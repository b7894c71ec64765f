package ddltrack

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// MongoShells is a command as it is typed into mongosh, in several statements
// where it makes several indexes.
func MongoShells(command bson.D) []string {
	specs := arrayOf(command, "indexes")
	if len(command) != 2 || command[0].Key != "createIndexes" || len(specs) < 2 {
		return []string{MongoShell(command)}
	}
	var all []string
	for _, spec := range specs {
		all = append(all, MongoShell(bson.D{command[0], {Key: "indexes", Value: bson.A{spec}}}))
	}
	return all
}

// MongoShell is a command as it is typed into mongosh.
func MongoShell(command bson.D) string {
	name, collection := MongoNameAndTarget(command)
	rest := MongoCommand(command)[min(1, len(command)):]
	on := "db.getCollection(" + quoteJS(collection) + ")"
	switch name {
	case "create":
		if viewOn, is := fieldOf(rest, "viewOn"); is {
			options := without(rest, "viewOn", "pipeline")
			return call("db.createView", collection, viewOn, arrayOf(rest, "pipeline"), options)
		}
		return call("db.createCollection", collection, rest)
	case "createIndexes":
		specs := arrayOf(rest, "indexes")
		if spec, ok := firstDocument(specs); ok && len(specs) == 1 {
			return call(on+".createIndex", documentOf(spec, "key"), without(spec, "key"))
		}
	case "dropIndexes", "deleteIndexes":
		if index, ok := fieldOf(rest, "index"); ok && len(rest) == 1 {
			return call(on+".dropIndexes", index)
		}
	case "drop":
		if len(rest) == 0 {
			return call(on + ".drop")
		}
	case "dropDatabase":
		return call("db.dropDatabase")
	case "renameCollection":
		_, to, _ := strings.Cut(textOf(rest, "to"), ".")
		if truthOf(rest, "dropTarget") {
			return call(on+".renameCollection", to, true)
		}
		return call(on+".renameCollection", to)
	}
	return call("db.runCommand", command)
}

func firstDocument(list bson.A) (bson.D, bool) {
	if len(list) == 0 {
		return nil, false
	}
	d, ok := list[0].(bson.D)
	return d, ok
}

// call writes a call; an empty document at its end is left out.
func call(function string, arguments ...any) string {
	if n := len(arguments); n > 1 {
		if last, is := arguments[n-1].(bson.D); is && len(last) == 0 {
			arguments = arguments[:n-1]
		}
	}
	var b strings.Builder
	b.WriteString(function + "(")
	for i, a := range arguments {
		if i > 0 {
			b.WriteString(", ")
		}
		writeJS(&b, a)
	}
	b.WriteString(")")
	return b.String()
}

// without is a document without some of its fields.
func without(d bson.D, keys ...string) bson.D {
	rest := bson.D{}
next:
	for _, e := range d {
		for _, key := range keys {
			if e.Key == key {
				continue next
			}
		}
		rest = append(rest, e)
	}
	return rest
}

// writeJS writes a BSON value as an expression of mongosh that gives the same
// value.
func writeJS(b *strings.Builder, v any) {
	switch v := v.(type) {
	case bson.D:
		b.WriteString("{")
		for i, e := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(keyJS(e.Key) + ": ")
			writeJS(b, e.Value)
		}
		b.WriteString("}")
	case bson.A:
		b.WriteString("[")
		for i, e := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			writeJS(b, e)
		}
		b.WriteString("]")
	default:
		b.WriteString(scalarJS(v))
	}
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
	case f == math.Trunc(f) && math.Abs(f) <= math.MaxInt32:
		return fmt.Sprintf("Double(%s)", strconv.FormatFloat(f, 'g', -1, 64))
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// quoteJS is a string literal; JSON's are JavaScript's.
func quoteJS(s string) string {
	quoted, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(quoted)
}

// keyJS is a field's name, quoted where it has to be. In brackets, __proto__ is a
// name like any other.
func keyJS(key string) string {
	plain := key != "" && !unicode.IsDigit(rune(key[0]))
	for _, r := range key {
		plain = plain && (r == '$' || r == '_' || r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)))
	}
	switch {
	case key == "__proto__":
		return `["__proto__"]`
	case plain:
		return key
	}
	return quoteJS(key)
}
