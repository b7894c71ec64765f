package postgres

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// minVersion is the first server with DROP DATABASE … WITH (FORCE).
const minVersion = 130000

// Prepare checks that the server is new enough and that the admin is its
// superuser, and closes the maintenance databases to everyone else: a
// workspace's role reaches no database but its own.
func (e *Engine) Prepare(ctx context.Context) error {
	conn, release, err := e.admin(ctx, e.config.Database)
	if err != nil {
		return err
	}
	defer release()
	version, err := serverVersion(ctx, conn)
	if err != nil {
		return fmt.Errorf("postgresql %s: %w", e.config.Name, err)
	}
	if version < minVersion {
		return fmt.Errorf("postgresql %s: version %d is too old, 13 or newer is needed", e.config.Name, version/10000)
	}
	var super bool
	if err := conn.QueryRow(ctx, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user").Scan(&super); err != nil {
		return fmt.Errorf("postgresql %s: look up the admin: %w", e.config.Name, err)
	}
	if !super {
		return fmt.Errorf("postgresql %s: user %s must be a superuser (event triggers need one): ALTER ROLE %s SUPERUSER", e.config.Name, e.config.User, quote(e.config.User))
	}
	return e.closeDatabases(ctx, conn)
}

// closeDatabases takes the privileges of PUBLIC from the databases that come
// with a server. Others belong to the operator: they are named in the log.
func (e *Engine) closeDatabases(ctx context.Context, conn *pgx.Conn) error {
	open, err := names(ctx, conn, `
		SELECT datname FROM pg_database d
		WHERE datallowconn AND EXISTS (
			SELECT FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) a
			WHERE a.grantee = 0 AND a.privilege_type IN ('CONNECT', 'TEMPORARY'))
		ORDER BY datname`)
	if err != nil {
		return fmt.Errorf("postgresql %s: find databases open to all: %w", e.config.Name, err)
	}
	for _, name := range open {
		if name != "postgres" && name != "template1" {
			e.config.Log.WarnContext(ctx, "database is open to every role of the server, workspaces' roles too; REVOKE CONNECT, TEMPORARY ON DATABASE … FROM PUBLIC closes it",
				"server", e.config.Name, "database", name)
			continue
		}
		if err := closeDatabase(ctx, conn, name); err != nil {
			return err
		}
	}
	return nil
}

// closeDatabase leaves a database to its owner and to superusers.
func closeDatabase(ctx context.Context, conn *pgx.Conn, name string) error {
	if _, err := conn.Exec(ctx, "REVOKE CONNECT, TEMPORARY ON DATABASE "+quote(name)+" FROM PUBLIC"); err != nil {
		return fmt.Errorf("close database %s to others: %w", name, err)
	}
	return nil
}

// Ping proves that the server answers.
func (e *Engine) Ping(ctx context.Context) error {
	_, release, err := e.admin(ctx, e.config.Database)
	if err != nil {
		return err
	}
	release()
	return nil
}

// serverVersion is PostgreSQL's own number: 150004 for 15.4.
func serverVersion(ctx context.Context, conn *pgx.Conn) (int, error) {
	var text string
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')").Scan(&text); err != nil {
		return 0, fmt.Errorf("read server version: %w", err)
	}
	version, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("read server version: %w", err)
	}
	return version, nil
}

// names runs a query of one text column, on a connection or in a transaction.
func names(ctx context.Context, conn interface {
	Query(context.Context, string, ...any) (pgx.Rows, error)
}, sql string, args ...any) ([]string, error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
