package mysql

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/tenantsdb/tenantsdb/ddltrack"
	"github.com/tenantsdb/tenantsdb/internal/schema"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

var _ workspace.Importer = (*Engine)(nil)

// sourceImport is where the changes of an import come from. The journal keeps it
// with the import's own unit behind a colon, within the sixteen characters of
// its column.
const sourceImport = "import"

// announcedAtMost is how many statements of an import are sent before the log is
// read, so that none is pushed out of what sessions announced.
const announcedAtMost = maxAnnouncedTexts / 2

// What a server says of a setting whose value it does not have.
const (
	wrongValue       = 1231
	unknownCollation = 1273
)

// importUnit is one import's mark in the journal.
func importUnit() string { return sourceImport + ":" + rand.Text()[:9] }

// unitOf takes a source apart: changes of one import share a unit, since each
// statement commits by itself.
func unitOf(source, otherwise string) (plain, unit string) {
	if strings.HasPrefix(source, sourceImport+":") {
		return sourceImport, source
	}
	return source, otherwise
}

// Import runs the steps one after the other. Each commits by itself; what makes
// them one version is their unit in the journal.
func (e *Engine) Import(ctx context.Context, t workspace.Target, steps []schema.Step, limits workspace.Limits) ([]workspace.Outcome, error) {
	c, err := e.connectAs(ctx, t)
	if err != nil {
		return nil, err
	}
	i := importer{engine: e, target: t, limits: limits, unit: importUnit(), conn: c}
	defer func() { i.conn.close() }()
	outcomes := make([]workspace.Outcome, len(steps))
	for n, step := range steps {
		if n > 0 && n%announcedAtMost == 0 {
			if err := e.catchUp(ctx); err != nil {
				outcomes[n].Err = err
				continue
			}
		}
		outcomes[n] = i.step(ctx, step)
	}
	return outcomes, nil
}

// catchUp moves what is in the binary log into the journal.
func (e *Engine) catchUp(ctx context.Context) error {
	r, release, err := e.read(ctx)
	if err != nil {
		return err
	}
	defer release()
	return r.advance(ctx)
}

// importer runs one import.
type importer struct {
	engine *Engine
	target workspace.Target
	limits workspace.Limits
	unit   string
	conn   *conn
}

// step runs one statement with its settings around it. A session that was cut
// off is followed by another.
func (i *importer) step(ctx context.Context, step schema.Step) (out workspace.Outcome) {
	if i.conn.broken {
		c, err := i.engine.connectAs(ctx, i.target)
		if err != nil {
			return workspace.Outcome{Err: err}
		}
		i.conn.close()
		i.conn = c
	}
	mode, err := i.prepare(ctx, step.Before)
	if err != nil {
		out.Err = statementError(err)
	} else {
		out = i.statement(ctx, step, mode)
	}
	if step.After != "" && !i.conn.broken {
		if err := i.conn.exec(ctx, step.After); err != nil && out.Err == nil {
			out.Err = statementError(err)
		}
	}
	return out
}

// statement runs the step's statement, with the server's own collations where it has
// those of the other kind of server.
func (i *importer) statement(ctx context.Context, step schema.Step, mode ddltrack.MySQLMode) workspace.Outcome {
	err := i.run(ctx, step.Statement, mode)
	if errno(err) == unknownCollation {
		if own, others := withOwnCollations(step.Statement, i.engine.known().mariaDB); len(others) > 0 {
			return workspace.Outcome{Err: i.run(ctx, own, mode), Warning: collationWarning(step.Object, others)}
		}
	}
	return workspace.Outcome{Err: err}
}

// prepare gives the session the settings of a definition, and says how it reads
// the text then.
func (i *importer) prepare(ctx context.Context, settings string) (ddltrack.MySQLMode, error) {
	if settings == "" {
		return i.engine.modeOf(""), nil
	}
	if err := i.set(ctx, settings); err != nil {
		return ddltrack.MySQLMode{}, err
	}
	row, err := i.conn.row(ctx, "SELECT @@session.sql_mode")
	if err != nil {
		return ddltrack.MySQLMode{}, err
	}
	return i.engine.modeOf(string(row[0])), nil
}

// set is prepare's SET. MySQL and MariaDB do not have the same settings: a
// collation that the server does not know is left out, as is the sql_mode
// NO_AUTO_CREATE_USER, which is only about GRANT.
func (i *importer) set(ctx context.Context, settings string) error {
	err := i.conn.exec(ctx, settings)
	if number := errno(err); number != unknownCollation && number != wrongValue {
		return err
	}
	for one := range strings.SplitSeq(strings.TrimPrefix(settings, "SET "), ", ") {
		err := i.conn.exec(ctx, "SET "+strings.Replace(one, "NO_AUTO_CREATE_USER", "", 1))
		if err != nil && errno(err) != unknownCollation {
			return err
		}
	}
	return nil
}

func (i *importer) run(ctx context.Context, text string, mode ddltrack.MySQLMode) error {
	if ddltrack.DropsDatabaseMySQL([]byte(text)) || len(ddltrack.SplitMySQL(text, mode)) != 1 {
		return workspace.Errorf(workspace.BadRequest, "it is not one statement that makes something")
	}
	i.engine.announced.add(i.target.Database, i.conn.id, text, i.unit)
	r := &runner{engine: i.engine, conn: i.conn, limits: i.limits, last: rawResult{limits: i.limits}}
	err := r.run(ctx, text)
	switch errno(err) {
	case 1050, 1061, 1304, 1359, 1537: // table, index, routine, trigger, event exists
		return fmt.Errorf("%w: %w", workspace.ErrExists, err)
	}
	return err
}
