// Package catalog keeps the installation's metadata durably: projects, keys,
// workspaces and their deploy queues. This is the SQLite store of a single
// node; what is acknowledged is on disk.
package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Readers beside the one writer; WAL lets them go on while it commits.
const maxReaders = 4

// Catalog is an open store. It is safe for concurrent use, and the only one on
// its file: the Service that it belongs to keeps a copy of it in memory.
type Catalog struct {
	path   string
	writer *sql.DB // one connection, so that writes queue here and never meet SQLITE_BUSY
	reader *sql.DB
	lock   *lock
	probe  probe
}

var _ workspace.Catalog = (*Catalog)(nil)

// Open opens the store at path, making it (mode 0600) or bringing its schema up
// to date where needed. It refuses a store that another process has open and
// one that a newer release has changed.
func Open(ctx context.Context, path string) (*Catalog, error) {
	l, err := takeLock(ctx, path+".lock")
	if err != nil {
		return nil, fmt.Errorf("lock catalog %s: %w", path, err)
	}
	c, err := open(ctx, path)
	if err != nil {
		l.release()
		return nil, fmt.Errorf("open catalog %s: %w", path, err)
	}
	c.lock = l
	return c, nil
}

func open(ctx context.Context, path string) (*Catalog, error) {
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	writer, err := connect(path, 1, "immediate", "synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, writer); err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	reader, err := connect(path, maxReaders, "deferred", "query_only(1)")
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	return &Catalog{path: path, writer: writer, reader: reader}, nil
}

// connect opens a pool on path. busy_timeout covers what another connection of
// this process may briefly hold, such as a checkpoint.
func connect(path string, conns int, txlock string, pragmas ...string) (*sql.DB, error) {
	pragmas = append([]string{"busy_timeout(10000)", "journal_mode(WAL)", "foreign_keys(1)"}, pragmas...)
	db, err := sql.Open("sqlite", dsn(path, txlock, pragmas...))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// dsn is a file URI, escaped, since a path may hold what a URI gives meaning to.
func dsn(path, txlock string, pragmas ...string) string {
	q := url.Values{"_txlock": {txlock}, "_pragma": pragmas}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// makePrivate makes path before SQLite does, which would make it readable for
// everyone; its journal files take the same mode.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// Close releases the store. Calls under way fail.
func (c *Catalog) Close() error {
	c.probe.close()
	err := errors.Join(c.reader.Close(), c.writer.Close())
	c.lock.release()
	return err
}

// Ping says whether the store can be read and written, the latter as it was at
// most five seconds ago.
func (c *Catalog) Ping(ctx context.Context) error {
	var version int
	if err := c.reader.QueryRowContext(ctx, `SELECT version FROM schema_version`).Scan(&version); err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	return c.probe.result(ctx, c.look)
}

// write runs do in one transaction that is on disk when write returns nil.
func (c *Catalog) write(ctx context.Context, doing string, do func(*sql.Tx) error) error {
	tx, err := c.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: begin: %w", doing, err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing; before, do's error says more
	if err := do(tx); err != nil {
		return fmt.Errorf("%s: %w", doing, known(err))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%s: commit: %w", doing, err)
	}
	return nil
}

// exec runs one statement that must change a row.
func exec(ctx context.Context, tx *sql.Tx, query string, args ...any) error {
	res, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return err
	}
	if n == 0 {
		return workspace.ErrNotFound
	}
	return nil
}

// known turns SQLite's verdict on a taken name into the domain's.
func known(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
			return fmt.Errorf("%w: %w", workspace.ErrExists, err)
		}
	}
	return err
}

// orphan is ErrNotFound for a row that can't be added since what it belongs to is
// not there.
func orphan(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY {
		return fmt.Errorf("%w: %w", workspace.ErrNotFound, err)
	}
	return err
}

// rows collects what scan reads from each row of a query.
func rows[T any](ctx context.Context, db *sql.DB, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	found, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return collect(found, scan)
}

// collect reads and closes found.
func collect[T any](found *sql.Rows, scan func(scanner) (T, error)) ([]T, error) {
	defer found.Close()
	var all []T
	for found.Next() {
		one, err := scan(found)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, found.Err()
}

// scanner is a row of either kind.
type scanner = interface{ Scan(...any) error }

func micros(t time.Time) int64     { return t.UnixMicro() }
func fromMicros(n int64) time.Time { return time.UnixMicro(n).UTC() }

func microsOrNull(t *time.Time) sql.Null[int64] {
	if t == nil {
		return sql.Null[int64]{}
	}
	return sql.Null[int64]{V: micros(*t), Valid: true}
}

func timeOrNil(n sql.Null[int64]) *time.Time {
	if !n.Valid {
		return nil
	}
	t := fromMicros(n.V)
	return &t
}
