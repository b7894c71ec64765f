package mysql

import (
	"context"
	"fmt"
)

// Prepare checks that the server is one that workspaces can be on, makes the
// schema of the journal, and takes from everybody what installations of old gave
// to everybody: the databases whose names begin with "test".
func (e *Engine) Prepare(ctx context.Context) error {
	c, release, err := e.admin(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := e.learn(ctx, c); err != nil {
		return err
	}
	for _, step := range []func(context.Context, *conn) error{e.checkVersion, e.checkBinlog, e.allowFunctions, e.closeTestDatabases, e.installJournal} {
		if err := step(ctx, c); err != nil {
			return fmt.Errorf("mysql %s: %w", e.config.Name, err)
		}
	}
	return nil
}

// Ping proves that the server answers.
func (e *Engine) Ping(ctx context.Context) error {
	_, release, err := e.admin(ctx)
	if err != nil {
		return err
	}
	release()
	return nil
}

func (e *Engine) checkVersion(_ context.Context, c *conn) error {
	f := e.known()
	switch {
	case f.mariaDB && f.version < minMariaDB:
		return fmt.Errorf("version %s is too old, MariaDB 10.6 or newer is needed", c.version)
	case !f.mariaDB && f.version < minMySQL:
		return fmt.Errorf("version %s is too old, MySQL 8.0 or newer is needed", c.version)
	}
	return nil
}

// checkBinlog makes sure that every schema change of every database is in the
// binary log, in a form that is read here.
func (e *Engine) checkBinlog(ctx context.Context, c *conn) error {
	row, err := c.row(ctx, "SELECT @@global.log_bin, @@global.binlog_format, @@global.sync_binlog")
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	if string(row[0]) != "1" {
		return fmt.Errorf("the binary log is off, and schema changes are read from it: start the server with --log-bin")
	}
	if string(row[1]) != "ROW" {
		return fmt.Errorf("binlog_format is %s, and must be ROW for schema changes to be read from it", row[1])
	}
	if string(row[2]) != "1" {
		e.config.Log.WarnContext(ctx, "sync_binlog is not 1: a crash of the machine may lose the last schema changes from the binary log, and so from the deploy queue",
			"server", e.config.Name, "sync_binlog", string(row[2]))
	}
	status, err := binlogStatus(ctx, c, e.known())
	if err != nil {
		return err
	}
	if status.filtered {
		return fmt.Errorf("the binary log leaves out databases (binlog_do_db, binlog_ignore_db), and schema changes are read from it")
	}
	if e.known().mariaDB {
		return nil
	}
	if row, err = c.row(ctx, "SELECT @@global.binlog_transaction_compression"); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	if string(row[0]) == "1" {
		return fmt.Errorf("binlog_transaction_compression is on, and must be off for schema changes to be read")
	}
	return nil
}

// allowFunctions lets the workspaces' roles make functions and triggers. The
// row format logs what they do, not that they were called.
func (e *Engine) allowFunctions(ctx context.Context, c *conn) error {
	row, err := c.row(ctx, "SELECT @@global.log_bin_trust_function_creators")
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	if string(row[0]) == "1" {
		return nil
	}
	e.config.Log.InfoContext(ctx, "log_bin_trust_function_creators is switched on, so that workspaces can have functions and triggers", "server", e.config.Name)
	if err := c.exec(ctx, "SET GLOBAL log_bin_trust_function_creators = 1"); err != nil {
		return fmt.Errorf("let workspaces make functions: %w", err)
	}
	return nil
}

// closeTestDatabases takes away the grants to everybody that a server may have
// been made with. Others belong to the operator: they are named in the log.
func (e *Engine) closeTestDatabases(ctx context.Context, c *conn) error {
	rows, err := c.rows(ctx, "SELECT Host, Db FROM mysql.db WHERE User = '' ORDER BY Db")
	if err != nil {
		return fmt.Errorf("find databases open to all: %w", err)
	}
	closed := false
	for _, row := range rows {
		host, database := string(row[0]), string(row[1])
		if database != "test" && database != `test\_%` {
			e.config.Log.WarnContext(ctx, "database is open to every user of the server, workspaces' users too", "server", e.config.Name, "database", database, "host", host)
			continue
		}
		if err := c.exec(ctx, "DELETE FROM mysql.db WHERE User = '' AND Host = "+literal(host)+" AND Db = "+literal(database)); err != nil {
			return fmt.Errorf("close database %s to others: %w", database, err)
		}
		closed = true
	}
	if !closed {
		return nil
	}
	if err := c.exec(ctx, "FLUSH PRIVILEGES"); err != nil {
		return fmt.Errorf("close test databases to others: %w", err)
	}
	return nil
}
