package mysql

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// journalDatabase is the administrators' own; no workspace's role can see it.
const journalDatabase = "tenantsdb"

// journalTables make what is kept on the server. Names and texts are compared as
// bytes.
//
//   - progress: up to where the binary log has been read
//   - tracked: the databases whose changes are kept, each from a position on
//   - journal: the changes, in the order of the log
//   - object: what is in the tracked databases at the position of progress, to
//     tell whether IF EXISTS found something
//   - revert: statements that undo an entry of the queue, written before they run
//   - deployed: the versions that tenants' databases have whole
//   - deploying: the entries of a version that a database is getting, each written
//     with the log's end before it runs, and again when it is done
func journalTables() []string {
	// Ids never come again, also where the schema is made anew.
	firstID := strconv.FormatInt(time.Now().UnixMicro(), 10)
	const options = " ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
	return []string{
		"CREATE DATABASE IF NOT EXISTS tenantsdb CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
		`CREATE TABLE IF NOT EXISTS tenantsdb.progress (
			id tinyint NOT NULL PRIMARY KEY, file varchar(255) NOT NULL, at bigint unsigned NOT NULL)` + options,
		`CREATE TABLE IF NOT EXISTS tenantsdb.tracked (
			name varchar(64) NOT NULL PRIMARY KEY, file varchar(255) NOT NULL, at bigint unsigned NOT NULL)` + options,
		`CREATE TABLE IF NOT EXISTS tenantsdb.journal (
			id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(64) NOT NULL,
			file varchar(255) NOT NULL, at bigint unsigned NOT NULL, committed varchar(40) NOT NULL, thread int unsigned NOT NULL,
			statement longblob NOT NULL, sent longblob NOT NULL, session longblob NOT NULL, source varchar(16) NOT NULL,
			created tinyint NOT NULL, reverts bigint NOT NULL, KEY name (name))` + options + " AUTO_INCREMENT = " + firstID,
		`CREATE TABLE IF NOT EXISTS tenantsdb.object (
			name varchar(64) NOT NULL, kind varchar(16) NOT NULL, object varchar(64) NOT NULL, parent varchar(64) NOT NULL,
			PRIMARY KEY (name, kind, object))` + options,
		`CREATE TABLE IF NOT EXISTS tenantsdb.revert (
			entry bigint NOT NULL PRIMARY KEY, name varchar(64) NOT NULL, thread int unsigned NOT NULL, statement longblob NOT NULL)` + options,
		`CREATE TABLE IF NOT EXISTS tenantsdb.deployed (
			name varchar(64) NOT NULL, version bigint NOT NULL, PRIMARY KEY (name, version))` + options,
		`CREATE TABLE IF NOT EXISTS tenantsdb.deploying (
			name varchar(64) NOT NULL, entry bigint NOT NULL, version bigint NOT NULL, done tinyint NOT NULL,
			file varchar(255) NOT NULL, at bigint unsigned NOT NULL, PRIMARY KEY (name, entry))` + options,
		// The last two: where they are there, all is.
		"INSERT IGNORE INTO tenantsdb.progress VALUES (1, '', 0)",
	}
}

// installJournal makes the schema where it is not there.
func (e *Engine) installJournal(ctx context.Context, _ *conn) error {
	r, release, err := e.read(ctx)
	if err != nil {
		return err
	}
	defer release()
	return r.install(ctx)
}

func (r *reader) install(ctx context.Context) error {
	c, err := r.connect(ctx)
	if err != nil {
		return err
	}
	rows, err := c.rows(ctx, "SELECT 1 FROM tenantsdb.deploying LIMIT 0; SELECT 1 FROM tenantsdb.progress")
	if number := errno(err); err != nil && number != badDatabase && number != noSuchTable {
		return fmt.Errorf("find journal: %w", err)
	}
	if len(rows) > 0 {
		return nil
	}
	for _, sql := range journalTables() {
		if err := c.exec(ctx, sql); err != nil {
			return fmt.Errorf("install journal: %w", err)
		}
	}
	return nil
}

// track begins to keep the database's changes, from now on. Where it has begun
// already, nothing happens.
func (e *Engine) track(ctx context.Context, t workspace.Target) error {
	r, release, err := e.read(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := r.install(ctx); err != nil {
		return err
	}
	return r.transaction(ctx, func(c *conn) error { return r.begin(ctx, c, t.Database) })
}

func (r *reader) begin(ctx context.Context, c *conn, database string) error {
	from, tracked, err := r.progress(ctx, c)
	if err != nil {
		return err
	}
	if _, is := tracked[database]; is {
		return nil
	}
	status, err := binlogStatus(ctx, c, r.engine.known())
	if err != nil {
		return err
	}
	if len(tracked) == 0 || from == (position{}) {
		// Nobody has needed what came before.
		if err := saveProgress(ctx, c, status.end); err != nil {
			return err
		}
	}
	if err := c.exec(ctx, "INSERT INTO tenantsdb.tracked VALUES ("+literal(database)+", "+status.end.values()+")"); err != nil {
		return fmt.Errorf("track database: %w", err)
	}
	return relist(ctx, c, database)
}

// untrack forgets all of a database.
func (e *Engine) untrack(ctx context.Context, database string) error {
	r, release, err := e.read(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := r.install(ctx); err != nil {
		return err
	}
	return r.transaction(ctx, func(c *conn) error {
		if _, _, err := r.progress(ctx, c); err != nil {
			return err
		}
		for _, table := range []string{"tracked", "journal", "object", "revert", "deployed", "deploying"} {
			if err := c.exec(ctx, "DELETE FROM tenantsdb."+table+" WHERE name = "+literal(database)); err != nil {
				return fmt.Errorf("forget journal: %w", err)
			}
		}
		return nil
	})
}

// values are a position's columns.
func (p position) values() string {
	return literal(p.file) + ", " + strconv.FormatUint(p.at, 10)
}

func positionOf(file, at []byte) (position, error) {
	n, err := strconv.ParseUint(string(at), 10, 64)
	if err != nil {
		return position{}, fmt.Errorf("read position: %w", err)
	}
	return position{string(file), n}, nil
}

// progress locks the journal until the transaction ends, and tells up to where
// the log has been read (nothing: not at all) and which databases are tracked,
// from where on.
func (r *reader) progress(ctx context.Context, c *conn) (at position, tracked map[string]position, err error) {
	row, err := c.row(ctx, "SELECT file, at FROM tenantsdb.progress WHERE id = 1 FOR UPDATE")
	if err != nil {
		return at, nil, fmt.Errorf("read journal: %w", err)
	}
	if at, err = positionOf(row[0], row[1]); err != nil {
		return at, nil, err
	}
	rows, err := c.rows(ctx, "SELECT name, file, at FROM tenantsdb.tracked")
	if err != nil {
		return at, nil, fmt.Errorf("read journal: %w", err)
	}
	tracked = make(map[string]position, len(rows))
	for _, row := range rows {
		if tracked[string(row[0])], err = positionOf(row[1], row[2]); err != nil {
			return at, nil, err
		}
	}
	return at, tracked, nil
}

func saveProgress(ctx context.Context, c *conn, at position) error {
	sql := "UPDATE tenantsdb.progress SET file = " + literal(at.file) + ", at = " + strconv.FormatUint(at.at, 10) + " WHERE id = 1"
	if err := c.exec(ctx, sql); err != nil {
		return fmt.Errorf("note position: %w", err)
	}
	return nil
}

// connect is the connection that writes the journal. What it writes is not in
// the binary log: positions mean nothing on another server.
func (r *reader) connect(ctx context.Context) (*conn, error) {
	if r.writer != nil && r.writer.exec(ctx, "DO 0") == nil {
		return r.writer, nil
	}
	r.disconnect()
	c, err := r.engine.connectAdmin(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.exec(ctx, "SET SESSION sql_log_bin = 0; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"); err != nil {
		c.close()
		return nil, fmt.Errorf("prepare journal's connection: %w", err)
	}
	r.writer = c
	return c, nil
}

// transaction runs work and commits, or rolls back where work failed.
func (r *reader) transaction(ctx context.Context, work func(c *conn) error) error {
	c, err := r.connect(ctx)
	if err != nil {
		return err
	}
	if err := c.exec(ctx, "START TRANSACTION"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := work(c); err != nil {
		r.rollback(ctx)
		return err
	}
	if err := c.exec(ctx, "COMMIT"); err != nil {
		r.disconnect() // whether it happened is in the journal itself
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// rollback ends the transaction; with the connection, where that is lost.
func (r *reader) rollback(ctx context.Context) {
	if r.writer.exec(ctx, "ROLLBACK") != nil {
		r.disconnect()
	}
}
