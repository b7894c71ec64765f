package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantsdb/tenantsdb/internal/schema"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

var _ workspace.Importer = (*Engine)(nil)

// sourceImport is what the journal notes for the changes of an import.
const sourceImport = "import"

// importGrace is how much longer than the server's own limit we wait for a
// statement.
const importGrace = 10 * time.Second

// Import runs the steps in one transaction, each behind a savepoint, so that all
// of them are one version and one that fails takes no other with it. Each is
// sent by the extended protocol, which takes a single statement.
func (e *Engine) Import(ctx context.Context, t workspace.Target, steps []schema.Step, limits workspace.Limits) ([]workspace.Outcome, error) {
	conn, err := e.connectAs(ctx, t, sourceImport)
	if err != nil {
		return nil, err
	}
	defer disconnect(ctx, conn)
	i := importer{conn: conn.PgConn(), limits: limits}
	if err := i.control(ctx, "SET statement_timeout = "+strconv.FormatInt(limits.TimeoutMS, 10)+"; BEGIN"); err != nil {
		return nil, statementError(err)
	}
	outcomes := make([]workspace.Outcome, len(steps))
	for n, step := range steps {
		if outcomes[n].Err, err = i.step(ctx, step); err != nil {
			return nil, err
		}
	}
	if err := i.control(ctx, "COMMIT"); err != nil {
		return nil, statementError(err)
	}
	return outcomes, nil
}

// importer runs one import on one connection.
type importer struct {
	conn   *pgconn.PgConn
	limits workspace.Limits
}

// control runs statements of our own.
func (i *importer) control(ctx context.Context, sql string) error {
	return i.conn.Exec(ctx, sql).Close()
}

// step runs one step and tells of its failure; fatal is one that ends the
// import.
func (i *importer) step(ctx context.Context, step schema.Step) (failure, fatal error) {
	if i.limits.TimeoutMS > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(i.limits.TimeoutMS)*time.Millisecond+importGrace)
		defer cancel()
	}
	if err := i.control(ctx, "SAVEPOINT tenantsdb_step"); err != nil {
		return nil, statementError(err)
	}
	err := i.run(ctx, step)
	if err == nil {
		err = i.control(ctx, "RELEASE SAVEPOINT tenantsdb_step")
	}
	if err == nil {
		return nil, nil
	}
	refused, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || i.conn.IsClosed() {
		return nil, statementError(err)
	}
	if err := i.control(ctx, "ROLLBACK TO SAVEPOINT tenantsdb_step; RELEASE SAVEPOINT tenantsdb_step"); err != nil {
		return nil, statementError(err)
	}
	return i.verdict(refused), nil
}

// run sends the step's statement with its settings around it.
func (i *importer) run(ctx context.Context, step schema.Step) error {
	for _, sql := range []string{step.Before, step.Statement, step.After} {
		if sql == "" {
			continue
		}
		if err := i.conn.ExecParams(ctx, sql, nil, nil, nil, nil).Read().Err; err != nil {
			return err
		}
	}
	return nil
}

// verdict is the server's refusal as a client hears it.
func (i *importer) verdict(refused *pgconn.PgError) error {
	switch refused.Code {
	case "42P07", "42710", "42P06", "42723": // duplicate table, object, schema, function
		return fmt.Errorf("%w: %s", workspace.ErrExists, refused.Message)
	case queryCanceled:
		if i.limits.TimeoutMS > 0 {
			return timeoutError(i.limits).Because(refused)
		}
	}
	return statementError(refused)
}

// importSteps are the graph's statements as the steps of an import. What is part
// of a table has the table's name before its own.
func (g *graph) importSteps() []schema.Step {
	tables := map[string]bool{}
	setting := ""
	for _, n := range g.nodes {
		switch n.kind {
		case kindTable:
			tables[n.name] = true
		case kindSetting:
			setting = n.statements[0]
		}
	}
	var steps []schema.Step
	for _, n := range g.inOrder() {
		if n.kind == kindSetting {
			continue
		}
		table := tableOf(n.name, tables)
		for nth, sql := range n.statements {
			step := schema.Step{Statement: sql, Object: shownName(n.name), Table: shownName(table), Makes: n.kind == kindTable && nth == 0}
			if n.kind == kindFunction {
				step.Before = setting
			}
			steps = append(steps, step)
		}
	}
	return steps
}

// tableOf is the longest name of a table that name is, or begins with.
func tableOf(name string, tables map[string]bool) string {
	for i := len(name); i > 0; i-- {
		if (i == len(name) || name[i] == '.') && tables[name[:i]] {
			return name[:i]
		}
	}
	return ""
}

// shownName is a qualified name as the API shows it.
func shownName(name string) string { return strings.TrimPrefix(name, publicSchema+".") }

// definitionSteps are a database's definitions as the steps of an import.
func definitionSteps(ctx context.Context, tx pgx.Tx) ([]schema.Step, error) {
	g, err := readGraph(ctx, tx)
	if err != nil {
		return nil, err
	}
	steps := g.importSteps()
	more, err := remarks(ctx, tx, "")
	if err != nil {
		return nil, err
	}
	for _, sql := range more {
		steps = append(steps, schema.Step{Statement: sql})
	}
	return steps, nil
}
