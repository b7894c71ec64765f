package postgres

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// object is how PostgreSQL's catalogs name anything: a catalog and a row.
type object struct {
	class uint32
	id    uint32
}

// node is an object with the statements that make it.
type node struct {
	kind       kind
	name       string // for a stable order
	statements []string

	needsLater []object // resolved to needs when every object has its maker
	needs      map[*node]bool
	blocked    int     // of needs, those not yet written
	unlocks    []*node // the nodes that need this one
}

// kind orders nodes that do not depend on each other, roughly as a person
// would write a schema.
type kind int

const (
	kindSetting kind = iota
	kindSchema
	kindExtension
	kindCollation
	kindType
	kindTextSearch
	kindSequence
	kindTable
	kindOwnership
	kindKey
	kindFunction
	kindOperator
	kindCast
	kindDefault
	kindCheck
	kindView
	kindIndex
	kindForeignKey
	kindStatistics
	kindRule
	kindTrigger
	kindPolicy
	kindTableState
	kindPublication
)

// graph is a schema: its nodes, and which node makes which object. One node may
// make several: a table with its row type, its serial columns' sequences and
// its primary key.
type graph struct {
	nodes  []*node
	makers map[object]*node
	// floating are sequences that are made before the table that owns them.
	floating map[object]bool
}

func newGraph() *graph {
	return &graph{makers: map[object]*node{}, floating: map[object]bool{}}
}

func (g *graph) add(k kind, name string, makes object, statements ...string) *node {
	n := &node{kind: k, name: name, statements: statements, needs: map[*node]bool{}}
	g.nodes = append(g.nodes, n)
	if makes != (object{}) {
		g.makers[makes] = n
	}
	return n
}

func (n *node) need(other *node) {
	if other != nil && other != n {
		n.needs[other] = true
	}
}

// collect reads every kind of object. Tables come first, since they decide
// which sequences, keys and defaults are written as part of them.
func (g *graph) collect(ctx context.Context, tx pgx.Tx) error {
	if err := g.collectTables(ctx, tx); err != nil {
		return err
	}
	for _, q := range objectQueries() {
		rows, err := tx.Query(ctx, q.sql)
		if err != nil {
			return fmt.Errorf("read %s: %w", q.what, err)
		}
		var class, id int64
		var name string
		var statements []string
		_, err = pgx.ForEachRow(rows, []any{&class, &id, &name, &statements}, func() error {
			makes := object{uint32(class), uint32(id)}
			if g.makers[makes] == nil {
				g.add(q.kind, name, makes, statements...)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read %s: %w", q.what, err)
		}
	}
	return nil
}

// connect adds the server's own record of what needs what.
func (g *graph) connect(ctx context.Context, tx pgx.Tx) error {
	if err := g.alias(ctx, tx); err != nil {
		return err
	}
	for _, n := range g.nodes {
		for _, o := range n.needsLater {
			n.need(g.makers[o])
		}
	}
	rows, err := tx.Query(ctx, `
		SELECT classid::int8, objid::int8, refclassid::int8, refobjid::int8, deptype = 'a'
		FROM pg_depend WHERE deptype IN ('n', 'a', 'i', 'P', 'S') AND objid >= 16384 AND refobjid >= 2200`)
	if err != nil {
		return fmt.Errorf("read dependencies: %w", err)
	}
	var class, id, refClass, refID int64
	var auto bool
	_, err = pgx.ForEachRow(rows, []any{&class, &id, &refClass, &refID, &auto}, func() error {
		from := object{uint32(class), uint32(id)}
		if n := g.makers[from]; n != nil && !(auto && g.floating[from]) {
			n.need(g.makers[object{uint32(refClass), uint32(refID)}])
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read dependencies: %w", err)
	}
	return nil
}

// alias finds the objects that come with another: row types and array types,
// multirange types, the index of a constraint, the rule of a view, members of
// an extension.
func (g *graph) alias(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, aliasesSQL)
	if err != nil {
		return fmt.Errorf("read parts of objects: %w", err)
	}
	var class, id, ofClass, ofID int64
	_, err = pgx.ForEachRow(rows, []any{&class, &id, &ofClass, &ofID}, func() error {
		part := object{uint32(class), uint32(id)}
		if whole := g.makers[object{uint32(ofClass), uint32(ofID)}]; whole != nil && g.makers[part] == nil {
			g.makers[part] = whole
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read parts of objects: %w", err)
	}
	return nil
}

// statements are those of the nodes in their order.
func (g *graph) statements() []string {
	var statements []string
	for _, n := range g.inOrder() {
		statements = append(statements, n.statements...)
	}
	return statements
}

// inOrder are the nodes, each after those it needs, otherwise by kind and name.
// Where nodes need each other in a circle, the first in that order goes first.
func (g *graph) inOrder() []*node {
	ready := &nodeHeap{}
	for _, n := range g.nodes {
		n.blocked = len(n.needs)
		for other := range n.needs {
			other.unlocks = append(other.unlocks, n)
		}
	}
	waiting := map[*node]bool{}
	for _, n := range g.nodes {
		if n.blocked == 0 {
			heap.Push(ready, n)
		} else {
			waiting[n] = true
		}
	}
	var ordered []*node
	for ready.Len() > 0 || len(waiting) > 0 {
		if ready.Len() == 0 {
			n := first(waiting)
			delete(waiting, n)
			heap.Push(ready, n)
		}
		n := heap.Pop(ready).(*node)
		ordered = append(ordered, n)
		for _, other := range n.unlocks {
			other.blocked--
			if other.blocked == 0 && waiting[other] {
				delete(waiting, other)
				heap.Push(ready, other)
			}
		}
	}
	return ordered
}

func first(nodes map[*node]bool) *node {
	var least *node
	for n := range nodes {
		if least == nil || compareNodes(n, least) < 0 {
			least = n
		}
	}
	return least
}

func compareNodes(a, b *node) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
}

// nodeHeap gives the node that is first in order.
type nodeHeap []*node

func (h nodeHeap) Len() int           { return len(h) }
func (h nodeHeap) Less(i, j int) bool { return compareNodes(h[i], h[j]) < 0 }
func (h nodeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *nodeHeap) Push(n any)        { *h = append(*h, n.(*node)) }
func (h *nodeHeap) Pop() any {
	old := *h
	n := old[len(old)-1]
	*h = old[:len(old)-1]
	return n
}
