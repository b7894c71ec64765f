package shell

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/dop251/goja"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// native is what the JavaScript parts of the shell call. A script can't reach
// the object itself, and nothing in it is a Go value.
func (s *script) native() *goja.Object {
	o := s.vm.NewObject()
	for name, f := range map[string]func(goja.FunctionCall) goja.Value{
		"run":       s.runCommand,
		"newId":     func(goja.FunctionCall) goja.Value { return s.vm.ToValue(bson.NewObjectID().Hex()) },
		"newUUID":   s.newUUID,
		"decimal":   s.decimal,
		"base64":    s.base64,
		"hex":       s.hex,
		"relaxed":   s.relaxed,
		"json":      s.json,
		"parse":     s.parse,
		"print":     s.print,
		"sleep":     s.sleep,
		"namespace": s.namespace,
	} {
		s.set(o, name, s.vm.ToValue(f))
	}
	s.set(o, "database", s.vm.ToValue(s.database))
	return o
}

// set sets a property of an object that takes any.
func (s *script) set(o *goja.Object, name string, v goja.Value) {
	if err := o.DefineDataProperty(name, v, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE); err != nil {
		s.refuse("property %q can't be set", name)
	}
}

// refuse throws a TypeError.
func (s *script) refuse(format string, arguments ...any) {
	panic(s.vm.NewTypeError(fmt.Sprintf(format, arguments...)))
}

// runCommand has the parent run a command. Where there is no answer to be had
// any more, the script ends, whatever it catches.
func (s *script) runCommand(c goja.FunctionCall) goja.Value {
	command, ok := s.value(c.Argument(0), 0).(bson.D)
	if !ok || len(command) == 0 {
		s.refuse("a command is a document that begins with its name")
	}
	answer, err := s.run(withoutUndefined(command))
	if err != nil {
		s.broken = err
		s.vm.Interrupt("ended")
		s.refuse("the script was ended")
	}
	result := s.vm.NewObject()
	if answer.Error != "" {
		s.set(result, "error", s.vm.ToValue(answer.Error))
		s.set(result, "code", s.vm.ToValue(answer.Code))
		if answer.CodeName != "" {
			s.set(result, "codeName", s.vm.ToValue(answer.CodeName))
		}
	}
	if len(answer.Reply) > 0 {
		s.set(result, "reply", s.document(answer.Reply))
	}
	return result
}

// withoutUndefined leaves out the fields that were named but not given.
func withoutUndefined(command bson.D) bson.D {
	var kept bson.D
	for _, e := range command {
		if _, is := e.Value.(bson.Undefined); !is {
			kept = append(kept, e)
		}
	}
	return kept
}

func (s *script) newUUID(goja.FunctionCall) goja.Value {
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return s.vm.ToValue(hex.EncodeToString(id[:]))
}

// decimal is a decimal's text in the form that BSON keeps.
func (s *script) decimal(c goja.FunctionCall) goja.Value {
	d, err := bson.ParseDecimal128(c.Argument(0).String())
	if err != nil {
		s.refuse("%q is no decimal number of 128 bits", c.Argument(0).String())
	}
	return s.vm.ToValue(d.String())
}

func (s *script) base64(c goja.FunctionCall) goja.Value {
	data, err := hex.DecodeString(c.Argument(0).String())
	if err != nil {
		s.refuse("%q is not hexadecimal", c.Argument(0).String())
	}
	return s.vm.ToValue(base64.StdEncoding.EncodeToString(data))
}

func (s *script) hex(c goja.FunctionCall) goja.Value {
	data, err := base64.StdEncoding.DecodeString(c.Argument(0).String())
	if err != nil {
		s.refuse("%q is not base64", c.Argument(0).String())
	}
	return s.vm.ToValue(hex.EncodeToString(data))
}

// relaxed is a value as the plain objects of relaxed Extended JSON.
func (s *script) relaxed(c goja.FunctionCall) goja.Value {
	text := s.extended(c.Argument(0))
	v, err := s.parseJSON(goja.Undefined(), s.vm.ToValue(text))
	if err != nil {
		panic(err)
	}
	return v
}

func (s *script) json(c goja.FunctionCall) goja.Value { return s.vm.ToValue(s.extended(c.Argument(0))) }

// extended is a value as relaxed Extended JSON.
func (s *script) extended(v goja.Value) string {
	text, err := bson.MarshalExtJSON(bson.D{{Key: "v", Value: s.value(v, 0)}}, false, false)
	if err != nil {
		s.refuse("the value has no Extended JSON: %v", err)
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(text), `{"v":`), "}")
}

func (s *script) parse(c goja.FunctionCall) goja.Value {
	var d bson.Raw
	if err := bson.UnmarshalExtJSON([]byte(`{"v":`+c.Argument(0).String()+`}`), false, &d); err != nil {
		s.refuse("not Extended JSON: %v", err)
	}
	return s.fromBSON(d.Lookup("v"))
}

func (s *script) print(c goja.FunctionCall) goja.Value {
	line := c.Argument(0).String()
	s.printed += len(line)
	if s.printed > maxOutputBytes {
		s.refuse("the script prints more than %d MiB", maxOutputBytes>>20)
	}
	s.output = append(s.output, line)
	return goja.Undefined()
}

func (s *script) sleep(c goja.FunctionCall) goja.Value {
	time.Sleep(min(max(0, time.Duration(c.Argument(0).ToInteger())*time.Millisecond), nap))
	return goja.Undefined()
}

// namespace is a namespace without its database.
func (s *script) namespace(c goja.FunctionCall) goja.Value {
	return s.vm.ToValue(strings.TrimPrefix(c.Argument(0).String(), s.database+"."))
}
