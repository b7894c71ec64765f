package shell

import (
	_ "embed"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// Answer is what a command gave: a reply, or the server's (or our) refusal.
type Answer struct {
	Reply    bson.Raw `bson:"reply,omitempty"` // also with an error, where there is one
	Error    string   `bson:"error,omitempty"`
	Code     int32    `bson:"code,omitempty"`
	CodeName string   `bson:"codeName,omitempty"`
}

// Outcome is what a script came to.
type Outcome struct {
	None     bool          // the last statement has no value
	List     bool          // Value is an array of results
	Value    bson.RawValue // of the last statement
	Affected *int64        // of the last statement, where it is a write
	Output   []string      // what was printed
}

// Failure is an error of the script's own making, or the server's that it did
// not catch.
type Failure struct {
	Message  string
	Code     int32  // the server's; 0 where it is none of the server's
	CodeName string // as Code
}

func (f *Failure) Error() string { return f.Message }

const (
	maxCallDepth   = 2_000
	maxOutputBytes = 1 << 20
	scriptName     = "query"
)

//go:embed types.js
var typesJS string

//go:embed cursor.js
var cursorJS string

//go:embed collection.js
var collectionJS string

//go:embed database.js
var databaseJS string

// script is one evaluation.
type script struct {
	vm       *goja.Runtime
	database string
	run      func(bson.D) (Answer, error)
	types    *goja.Object
	output   []string
	printed  int
	broken   error // why commands can't be run any more

	// What the language came with, before the script could change it.
	date, regexp       goja.Value
	getTime, parseJSON goja.Callable
}

// evaluate runs what o brings. An error is a *Failure, ErrSchemaFixed, or what
// run gave.
func evaluate(o order, run func(bson.D) (Answer, error)) (Outcome, error) {
	s := &script{vm: goja.New(), database: o.Database, run: run}
	s.vm.SetMaxCallStackSize(maxCallDepth)
	finish, err := s.prepare()
	if err != nil {
		return Outcome{}, fmt.Errorf("prepare shell: %w", err)
	}
	program, tree, err := compile(o.Text)
	if err != nil {
		return Outcome{}, err
	}
	if schemaCommands(o.Fixed).in(tree) {
		return Outcome{}, ErrSchemaFixed
	}
	outcome, err := s.finished(finish, program)
	switch {
	case s.broken != nil:
		return Outcome{}, s.broken
	case err != nil:
		return Outcome{}, s.failure(err)
	}
	outcome.Output = s.output
	return outcome, nil
}

// shellWord is a line that mongosh takes though it is no JavaScript.
var shellWord = regexp.MustCompile(`(?m)^[ \t]*(show|use)[ \t]+([\w.$-]+)[ \t]*;?[ \t]*$`)

func compile(text string) (*goja.Program, *ast.Program, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		text = "(" + text + "\n)"
	}
	program, tree, err := compileScript(text)
	if err == nil {
		return program, tree, nil
	}
	if words := shellWord.ReplaceAllString(text, `$1("$2");`); words != text {
		if program, tree, again := compileScript(words); again == nil {
			return program, tree, nil
		}
	}
	return nil, nil, &Failure{Message: err.Error()}
}

func compileScript(text string) (*goja.Program, *ast.Program, error) {
	tree, err := goja.Parse(scriptName, text)
	if err != nil {
		return nil, nil, err
	}
	program, err := goja.CompileAST(tree, false)
	return program, tree, err
}

// prepare makes the globals and gives the function that ends a script.
func (s *script) prepare() (goja.Callable, error) {
	global := s.vm.GlobalObject()
	s.date, s.regexp = global.Get("Date"), global.Get("RegExp")
	s.getTime, _ = goja.AssertFunction(s.date.ToObject(s.vm).Get("prototype").ToObject(s.vm).Get("getTime"))
	s.parseJSON, _ = goja.AssertFunction(global.Get("JSON").ToObject(s.vm).Get("parse"))

	var parts []goja.Value
	for _, source := range []string{typesJS, cursorJS, collectionJS, databaseJS} {
		part, err := s.vm.RunScript("shell", source)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	native := s.native()
	types, err := call(parts[0], native)
	if err != nil {
		return nil, err
	}
	s.types = types.ToObject(s.vm)
	finish, err := call(parts[3], native, types, parts[1], parts[2])
	if err != nil {
		return nil, err
	}
	f, ok := goja.AssertFunction(finish)
	if !ok {
		return nil, errors.New("it gives no function")
	}
	return f, nil
}

func call(f goja.Value, arguments ...goja.Value) (goja.Value, error) {
	callable, ok := goja.AssertFunction(f)
	if !ok {
		return nil, errors.New("a part of it is no function")
	}
	return callable(goja.Undefined(), arguments...)
}

// finished runs the program and reads its last value.
func (s *script) finished(finish goja.Callable, program *goja.Program) (Outcome, error) {
	last, err := s.vm.RunProgram(program)
	if err != nil {
		return Outcome{}, err
	}
	if last, err = s.settled(last); err != nil {
		return Outcome{}, err
	}
	v, err := finish(goja.Undefined(), last)
	if err != nil {
		return Outcome{}, err
	}
	end := v.ToObject(s.vm)
	kind := end.Get("kind").String()
	outcome := Outcome{None: kind == "none", List: kind == "list"}
	if affected := end.Get("affected"); affected != nil {
		n := affected.ToInteger()
		outcome.Affected = &n
	}
	if outcome.None {
		return outcome, nil
	}
	// Reading a value may run more of the script: getters, proxies.
	if exception := s.vm.Try(func() { outcome.Value = s.raw(end.Get("value")) }); exception != nil {
		return Outcome{}, exception
	}
	return outcome, nil
}

// settled is the value that a promise came to.
func (s *script) settled(v goja.Value) (goja.Value, error) {
	if !isPromise(v) {
		return v, nil
	}
	promise, _ := v.Export().(*goja.Promise)
	switch promise.State() {
	case goja.PromiseStateFulfilled:
		return promise.Result(), nil
	case goja.PromiseStateRejected:
		if exception := s.vm.Try(func() { panic(promise.Result()) }); exception != nil {
			return nil, exception
		}
	}
	return nil, &Failure{Message: "the last statement waits for something that does not come"}
}

// isPromise asks for the type alone: to export a value may run the script.
func isPromise(v goja.Value) bool {
	o, ok := v.(*goja.Object)
	return ok && o.ExportType() == reflect.TypeFor[*goja.Promise]()
}

// failure is what the client is told of an exception.
func (s *script) failure(err error) error {
	if failure, ok := errors.AsType[*Failure](err); ok {
		return failure
	}
	exception, ok := errors.AsType[*goja.Exception](err)
	if !ok {
		return &Failure{Message: err.Error()}
	}
	f := &Failure{Message: "the script threw a value that can't be shown"}
	// Reading what was thrown may run more of the script.
	_ = s.vm.Try(func() {
		thrown := exception.Value()
		f.Message = thrown.String()
		o, isObject := thrown.(*goja.Object)
		if !isObject {
			f.Message = "uncaught: " + f.Message
			return
		}
		if name := o.Get("name"); name != nil && name.String() == "MongoServerError" {
			f.Message = o.Get("message").String()
			f.Code = int32(o.Get("code").ToInteger())
			if codeName := o.Get("codeName"); codeName != nil && !goja.IsUndefined(codeName) {
				f.CodeName = codeName.String()
			}
		}
	})
	for _, frame := range exception.Stack() {
		if p := frame.Position(); p.Filename == scriptName && p.Line > 0 {
			f.Message += fmt.Sprintf(" (line %d)", p.Line)
			break
		}
	}
	return f
}

// nap is the longest that a script may sleep at once.
const nap = time.Minute
