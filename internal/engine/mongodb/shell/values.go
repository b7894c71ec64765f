package shell

import (
	"encoding/base64"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/dop251/goja"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// maxDepth is how deep MongoDB nests documents.
const maxDepth = 100

// value is a JavaScript value as BSON; undefined is bson.Undefined.
func (s *script) value(v goja.Value, depth int) any {
	switch {
	case v == nil || goja.IsUndefined(v):
		return bson.Undefined{}
	case goja.IsNull(v):
		return nil
	case depth > maxDepth:
		s.refuse("documents can't be nested deeper than %d levels, nor hold themselves", maxDepth)
	}
	o, ok := v.(*goja.Object)
	if !ok {
		return s.scalar(v.Export())
	}
	switch class := o.ClassName(); class {
	case "Array":
		return s.array(o, depth)
	case "Date":
		n, err := s.getTime(o)
		if err != nil {
			panic(err)
		}
		if math.IsNaN(n.ToFloat()) {
			s.refuse("Invalid Date")
		}
		return bson.DateTime(n.ToInteger())
	case "RegExp":
		return bson.Regex{Pattern: o.Get("source").String(), Options: options(o.Get("flags").String())}
	case "Function":
		return bson.JavaScript(o.String())
	case "Number", "String", "Boolean":
		return s.scalar(o.Export())
	}
	if isPromise(o) {
		s.refuse("a promise is no value; await it")
	}
	if o.ExportType() == reflect.TypeFor[goja.ArrayBuffer]() {
		buffer, _ := o.Export().(goja.ArrayBuffer)
		return bson.Binary{Data: buffer.Bytes()}
	}
	if kind := o.Get("_bsontype"); kind != nil && !goja.IsUndefined(kind) && o.Prototype() != nil {
		return s.special(kind.String(), o, depth)
	}
	return s.fields(o, depth)
}

// fields are those of an object, or the entries of a map, whose names may be in
// any order.
func (s *script) fields(o *goja.Object, depth int) bson.D {
	d := bson.D{}
	add := func(key string, v goja.Value) {
		if strings.ContainsRune(key, 0) {
			s.refuse("a field's name can't hold a zero byte")
		}
		field := s.value(v, depth+1)
		if _, is := field.(bson.Undefined); is && depth > 0 {
			field = nil
		}
		d = append(d, bson.E{Key: key, Value: field})
	}
	if o.ExportType() == reflect.TypeFor[[][2]any]() { // a Map, whatever its prototype is
		s.vm.ForOf(o, func(entry goja.Value) bool {
			pair := entry.ToObject(s.vm)
			add(pair.Get("0").String(), pair.Get("1"))
			return true
		})
		return d
	}
	for _, key := range o.Keys() {
		add(key, o.Get(key))
	}
	return d
}

func (s *script) array(o *goja.Object, depth int) bson.A {
	length := o.Get("length").ToInteger()
	list := make(bson.A, 0, min(length, 1024))
	for i := range length {
		element := s.value(o.Get(strconv.FormatInt(i, 10)), depth+1)
		if _, is := element.(bson.Undefined); is {
			element = nil
		}
		list = append(list, element)
	}
	return list
}

// scalar is a primitive. A whole number is the narrowest type that a driver
// would take: int32, or else double.
func (s *script) scalar(v any) any {
	switch e := v.(type) {
	case bool:
		return e
	case string:
		return e
	case int64:
		if e >= math.MinInt32 && e <= math.MaxInt32 {
			return int32(e)
		}
		return float64(e)
	case float64:
		if e == math.Trunc(e) && math.Abs(e) <= math.MaxInt32 && !(e == 0 && math.Signbit(e)) {
			return int32(e)
		}
		return e
	case *big.Int:
		if !e.IsInt64() {
			s.refuse("%s is longer than 64 bits", e)
		}
		return e.Int64()
	}
	s.refuse("%v can't be stored", v)
	return nil
}

// options are a regular expression's flags as BSON knows them.
func options(flags string) string {
	var kept strings.Builder
	for _, f := range "imsux" {
		if f != 'u' && strings.ContainsRune(flags, f) {
			kept.WriteRune(f)
		}
	}
	return kept.String()
}

// special is one of the types of types.js.
func (s *script) special(kind string, o *goja.Object, depth int) any {
	text := ""
	if v := o.Get("value"); v != nil {
		text = v.String()
	}
	part := func(name string) goja.Value {
		if v := o.Get(name); v != nil {
			return v
		}
		return goja.Undefined()
	}
	var (
		v   any
		err error
	)
	switch kind {
	case "ObjectId":
		v, err = bson.ObjectIDFromHex(text)
	case "Long":
		v, err = strconv.ParseInt(text, 10, 64)
	case "Int32":
		var n int64
		n, err = strconv.ParseInt(text, 10, 32)
		v = int32(n)
	case "Double":
		v = part("value").ToFloat()
	case "Decimal128":
		v, err = bson.ParseDecimal128(text)
	case "Binary":
		var data []byte
		data, err = base64.StdEncoding.DecodeString(text)
		v = bson.Binary{Subtype: byte(part("sub_type").ToInteger()), Data: data}
	case "Timestamp":
		v = bson.Timestamp{T: uint32(part("t").ToInteger()), I: uint32(part("i").ToInteger())}
	case "MinKey":
		v = bson.MinKey{}
	case "MaxKey":
		v = bson.MaxKey{}
	case "Code":
		v = bson.JavaScript(text)
		if scope, is := part("scope").(*goja.Object); is {
			v = bson.CodeWithScope{Code: bson.JavaScript(text), Scope: s.fields(scope, depth)}
		}
	case "BSONSymbol":
		v = bson.Symbol(text)
	case "BSONRegExp":
		v = bson.Regex{Pattern: part("pattern").String(), Options: part("options").String()}
	default:
		s.refuse("no BSON type is called %q", kind)
	}
	if err != nil {
		s.refuse("not a valid %s: %q", kind, text)
	}
	return v
}

// raw is a value as BSON bytes.
func (s *script) raw(v goja.Value) bson.RawValue {
	value := s.value(v, 0)
	if _, is := value.(bson.Undefined); is || value == nil {
		return bson.RawValue{Type: bson.TypeNull}
	}
	kind, data, err := bson.MarshalValue(value)
	if err != nil {
		s.refuse("the result can't be returned: %v", err)
	}
	return bson.RawValue{Type: kind, Value: data}
}

// document is a BSON document as an object.
func (s *script) document(raw bson.Raw) *goja.Object {
	elements, err := raw.Elements()
	if err != nil {
		s.refuse("the server's answer can't be read: %v", err)
	}
	o := s.vm.NewObject()
	for _, e := range elements {
		s.set(o, e.Key(), s.fromBSON(e.Value()))
	}
	return o
}

// fromBSON is a BSON value as mongosh shows it to a script.
func (s *script) fromBSON(v bson.RawValue) goja.Value {
	switch v.Type {
	case bson.TypeNull:
		return goja.Null()
	case bson.TypeUndefined:
		return goja.Undefined()
	case bson.TypeBoolean:
		return s.vm.ToValue(v.Boolean())
	case bson.TypeString:
		return s.vm.ToValue(v.StringValue())
	case bson.TypeInt32:
		return s.vm.ToValue(v.Int32())
	case bson.TypeDouble:
		return s.vm.ToValue(v.Double())
	case bson.TypeDateTime:
		return s.construct(s.date, s.vm.ToValue(v.DateTime()))
	case bson.TypeEmbeddedDocument:
		return s.document(v.Document())
	case bson.TypeArray:
		values, err := v.Array().Values()
		if err != nil {
			s.refuse("the server's answer can't be read: %v", err)
		}
		items := make([]any, len(values))
		for i, item := range values {
			items[i] = s.fromBSON(item)
		}
		return s.vm.NewArray(items...)
	}
	return s.fromSpecial(v)
}

func (s *script) fromSpecial(v bson.RawValue) goja.Value {
	text := s.vm.ToValue
	switch v.Type {
	case bson.TypeObjectID:
		return s.make("ObjectId", text(v.ObjectID().Hex()))
	case bson.TypeInt64:
		return s.make("Long", text(strconv.FormatInt(v.Int64(), 10)))
	case bson.TypeDecimal128:
		return s.make("Decimal128", text(v.Decimal128().String()))
	case bson.TypeBinary:
		subtype, data := v.Binary()
		return s.make("Binary", text(base64.StdEncoding.EncodeToString(data)), text(int64(subtype)))
	case bson.TypeTimestamp:
		t, i := v.Timestamp()
		return s.make("Timestamp", text(int64(t)), text(int64(i)))
	case bson.TypeRegex:
		pattern, flags := v.Regex()
		if !strings.ContainsAny(flags, "xlu") {
			if re, err := s.vm.New(s.regexp, text(pattern), text(flags)); err == nil {
				return re
			}
		}
		return s.make("BSONRegExp", text(pattern), text(flags))
	case bson.TypeMinKey:
		return s.make("MinKey")
	case bson.TypeMaxKey:
		return s.make("MaxKey")
	case bson.TypeJavaScript:
		return s.make("Code", text(v.JavaScript()))
	case bson.TypeCodeWithScope:
		code, scope := v.CodeWithScope()
		return s.make("Code", text(code), s.document(scope))
	case bson.TypeSymbol:
		return s.make("BSONSymbol", text(v.Symbol()))
	}
	s.refuse("the server's answer holds a value of type %s, which can't be shown", v.Type)
	return nil
}

// make makes a value of one of our types.
func (s *script) make(name string, arguments ...goja.Value) goja.Value {
	return s.construct(s.types.Get(name), arguments...)
}

func (s *script) construct(class goja.Value, arguments ...goja.Value) goja.Value {
	o, err := s.vm.New(class, arguments...)
	if err != nil {
		panic(err)
	}
	return o
}
