package ddltrack

import (
	"slices"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
)

// routine notes the names in a body that is a string. The server looks at it when
// the routine is made, and depends on nothing that it finds there.
func (w *walker) routine(stmt *pg_query.CreateFunctionStmt) {
	var language, body string
	for _, n := range stmt.Options {
		option := n.GetDefElem()
		switch option.GetDefname() {
		case "language":
			language = strings.ToLower(option.GetArg().GetString_().GetSval())
		case "as":
			body = last(option.GetArg().GetList().GetItems())
		case "set":
			w.setPath(option.GetArg().GetVariableSetStmt())
		}
	}
	switch language {
	case "sql":
		for _, s := range Split(body, true) {
			if s.node != nil {
				w.walk(s.node.ProtoReflect())
			}
		}
	case "plpgsql":
		w.block(body)
	}
}

// setPath also looks for names where the routine's own search_path has the server
// look.
func (w *walker) setPath(set *pg_query.VariableSetStmt) {
	if set.GetName() != "search_path" {
		return
	}
	for _, arg := range set.Args {
		w.path = append(slices.Clip(w.path), arg.GetAConst().GetSval().GetSval())
	}
}

// block notes all names in the text of a PL/pgSQL routine, whose grammar is not
// known here: each may be that of a relation, a type or a routine. A column is
// looked up when the routine is made only where its type is asked for.
func (w *walker) block(body string) {
	var names []string
	qualified := false // behind a dot
	l := lexer{sql: body}
	for {
		k, start := l.next()
		token := body[start:l.pos]
		name := ""
		switch {
		case k == word:
			name = strings.ToLower(token)
		case k == text && token[0] == '"':
			name = strings.ReplaceAll(token[1:len(token)-1], `""`, `"`)
		case k == blank:
			continue
		case k == mark && token == "." && len(names) > 0:
			qualified = true
			continue
		}
		switch {
		case name != "" && qualified:
			names = append(names, name)
		default:
			if token == "%" {
				w.columnOf(names)
			}
			w.name(names)
			names = names[:0]
			if name != "" && !(k == word && reserved(name)) {
				names = append(names, name)
			}
		}
		qualified = false
		if k == end {
			return
		}
	}
}
