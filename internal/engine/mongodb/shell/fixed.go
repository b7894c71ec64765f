package shell

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
)

// ErrSchemaFixed is a script that would change the schema where it is fixed.
var ErrSchemaFixed = errors.New("script changes the schema")

// schemaMethods are those of a database or a collection that are there to change
// the schema.
func schemaMethods() []string {
	return []string{
		"createCollection", "createView", "dropDatabase",
		"drop", "renameCollection", "convertToCapped", "hideIndex", "unhideIndex", "dropIndex", "dropIndexes",
		"createIndex", "createIndexes", "ensureIndex",
	}
}

// schemaCommands are the names of the commands that are there to change the
// schema; none where a script may change it.
type schemaCommands []string

// in says whether a script calls, anywhere, a method that is there to change the
// schema, or runs a command that is. What its text does not show, a name that it
// puts together, is seen when the command is to be run.
func (s schemaCommands) in(program *ast.Program) bool {
	found := false
	if len(s) > 0 {
		eachCall(reflect.ValueOf(program), func(c *ast.CallExpression) { found = found || s.call(c) })
	}
	return found
}

// call looks at one call.
func (s schemaCommands) call(c *ast.CallExpression) bool {
	of, method := member(c.Callee)
	switch method {
	case "runCommand", "adminCommand":
		return len(c.ArgumentList) > 0 && s.command(c.ArgumentList[0])
	case "createIndex", "createIndexes", "ensureIndex":
		// What GridFS does is told by the whole command.
		return !ofBucket(of)
	}
	return slices.Contains(schemaMethods(), method)
}

// command looks at a command that is written out: a document, or a name.
func (s schemaCommands) command(command ast.Expression) bool {
	if name, ok := literal(command); ok {
		return slices.Contains(s, name)
	}
	document, _ := command.(*ast.ObjectLiteral)
	if document == nil || len(document.Value) == 0 {
		return false
	}
	first, _ := document.Value[0].(*ast.PropertyKeyed)
	if first == nil {
		return false
	}
	name, _ := literal(first.Key)
	target, _ := literal(first.Value)
	return slices.Contains(s, name) && !(name == "createIndexes" && isBucket(target))
}

// member is the object and the name of a property: of.name, of["name"].
func member(e ast.Expression) (of ast.Expression, name string) {
	switch e := e.(type) {
	case *ast.DotExpression:
		return e.Left, e.Identifier.Name.String()
	case *ast.BracketExpression:
		name, _ := literal(e.Member)
		return e.Left, name
	case *ast.OptionalChain:
		return member(e.Expression)
	case *ast.Optional:
		return member(e.Expression)
	}
	return nil, ""
}

// literal is a string that is written out.
func literal(e ast.Expression) (string, bool) {
	s, ok := e.(*ast.StringLiteral)
	if !ok {
		return "", false
	}
	return s.Value.String(), true
}

// ofBucket says whether an expression may be a collection of a GridFS bucket.
func ofBucket(e ast.Expression) bool {
	if call, ok := e.(*ast.CallExpression); ok && len(call.ArgumentList) > 0 {
		name, _ := literal(call.ArgumentList[0])
		return isBucket(name)
	}
	_, name := member(e)
	return isBucket("." + name)
}

func isBucket(collection string) bool {
	return strings.HasSuffix(collection, ".files") || strings.HasSuffix(collection, ".chunks")
}

// eachCall calls visit for each call within a part of a syntax tree.
func eachCall(v reflect.Value, visit func(*ast.CallExpression)) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || v.Elem().Kind() == reflect.Struct && v.Elem().Type().PkgPath() != reflect.TypeFor[ast.Program]().PkgPath() {
			return // a file's positions are no part of the tree
		}
		if call, ok := v.Interface().(*ast.CallExpression); ok {
			visit(call)
		}
		eachCall(v.Elem(), visit)
	case reflect.Interface:
		eachCall(v.Elem(), visit)
	case reflect.Slice:
		for i := range v.Len() {
			eachCall(v.Index(i), visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				eachCall(v.Field(i), visit)
			}
		}
	}
}
