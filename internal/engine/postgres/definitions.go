package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Definitions are statements that rebuild the workspace's schema on an empty
// database: a dump of both is the same. They are one consistent snapshot, read
// as the workspace's own role, and run in order under the default search_path.
// What only a superuser can make, and what extensions brought, is not among
// them; owners are whoever runs them.
func (e *Engine) Definitions(ctx context.Context, t workspace.Target) ([]string, error) {
	var statements []string
	err := e.snapshot(ctx, t, func(tx pgx.Tx) error {
		g, err := readGraph(ctx, tx)
		if err != nil {
			return err
		}
		more, err := remarks(ctx, tx, t.Reader)
		statements = append(g.statements(), more...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read definitions of %s: %w", t.Database, err)
	}
	return statements, nil
}

// readGraph reads the schema's objects and what needs what.
func readGraph(ctx context.Context, tx pgx.Tx) (*graph, error) {
	g := newGraph()
	if err := g.collect(ctx, tx); err != nil {
		return nil, err
	}
	return g, g.connect(ctx, tx)
}

// remarks are the statements behind those that make objects, without what lets
// the reader read.
func remarks(ctx context.Context, tx pgx.Tx, reader string) ([]string, error) {
	var statements []string
	for _, read := range []struct {
		what, sql string
		args      []any
	}{
		{"comments", commentsSQL, nil},
		{"privileges", privilegesSQL, []any{reader}},
		{"default privileges", defaultPrivilegesSQL, []any{reader}},
	} {
		more, err := names(ctx, tx, read.sql, read.args...)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", read.what, err)
		}
		statements = append(statements, more...)
	}
	return statements, nil
}

// snapshot runs read as the workspace's role in one transaction that sees one
// moment. Names come out unqualified where the default search_path finds them.
func (e *Engine) snapshot(ctx context.Context, t workspace.Target, read func(pgx.Tx) error) error {
	conn, err := e.connectReader(ctx, t)
	if err != nil {
		return err
	}
	defer disconnect(ctx, conn)
	return atOneMoment(ctx, conn, read)
}

func atOneMoment(ctx context.Context, conn *pgx.Conn, read func(pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL search_path = public"); err != nil {
			return fmt.Errorf("set search path: %w", err)
		}
		return read(tx)
	})
}
