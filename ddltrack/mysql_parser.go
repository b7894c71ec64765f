package ddltrack

import (
	"fmt"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver" // the values that the parser makes of literals
)

// Bounds on what the parser is given. The tree of a statement is at most as
// deep as it has tokens, and is walked by recursion.
const (
	maxMySQLParsed = 1 << 20
	maxMySQLTokens = 100_000
)

// parsedNames are the tables ("database", "name") and the columns that a
// statement names, in the grammar of MySQL. ok is false where the parser does
// not know the text: it is told by its words alone then.
func parsedNames(s MySQLStatement) (tables [][2]string, columns []string, ok bool) {
	node, err := parseMySQL(s)
	if err != nil {
		return nil, nil, false
	}
	v := nameVisitor{}
	node.Accept(&v)
	return v.tables, v.columns, true
}

// parseMySQL keeps a panic of the parser, which is made for another server, from
// ending the program.
func parseMySQL(s MySQLStatement) (node ast.StmtNode, err error) {
	defer func() {
		if p := recover(); p != nil {
			node, err = nil, fmt.Errorf("parse statement: %v", p)
		}
	}()
	if len(s.Text) > maxMySQLParsed || tooManyTokens(s) {
		return nil, fmt.Errorf("parse statement: it is longer than %d bytes or %d tokens", maxMySQLParsed, maxMySQLTokens)
	}
	p := parser.New()
	var flags mysql.SQLMode
	if s.mode.ANSIQuotes {
		flags |= mysql.ModeANSIQuotes
	}
	if s.mode.NoBackslashEscapes {
		flags |= mysql.ModeNoBackslashEscapes
	}
	p.SetSQLMode(flags)
	return p.ParseOneStmt(s.Text, "", "")
}

func tooManyTokens(s MySQLStatement) bool {
	l := mysqlLexer{sql: s.Text, mode: s.mode}
	for n := 0; n <= maxMySQLTokens; n++ {
		if k, _ := l.next(); k == end {
			return false
		}
	}
	return true
}

// nameVisitor collects names.
type nameVisitor struct {
	tables  [][2]string
	columns []string
}

// Enter notes a name.
func (v *nameVisitor) Enter(n ast.Node) (ast.Node, bool) {
	switch n := n.(type) {
	case *ast.TableName:
		v.tables = append(v.tables, [2]string{n.Schema.O, n.Name.O})
	case *ast.ColumnName:
		v.columns = append(v.columns, n.Name.O)
	case *ast.Constraint:
		for _, key := range n.Keys {
			if key.Column != nil {
				v.columns = append(v.columns, key.Column.Name.O)
			}
		}
	}
	return n, false
}

// Leave goes on.
func (v *nameVisitor) Leave(n ast.Node) (ast.Node, bool) { return n, true }
