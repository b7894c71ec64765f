package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	// readerWait bounds the wait for a client that changes what is to be read.
	readerWait  = "10s"
	readerTries = 5

	internalError = "XX000" // "tuple concurrently updated": somebody else changed the same grants
)

// makesObjects are the functions with which everyone may make large objects, also
// in a transaction that is read-only. While a database has a reader they are its
// own roles' alone.
const makesObjects = "pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid), pg_catalog.lo_from_bytea(oid, bytea)"

// SetReader makes the role that may only read the database: what its owner has in
// it now, and makes later. The rights of pg_read_all_data would reach further, to
// the passwords of the server. That its transactions are read-only to begin with
// is for functions of the owner's that write with the owner's rights.
func (e *Engine) SetReader(ctx context.Context, t workspace.Target) error {
	reader := t
	reader.Role, reader.Password = t.Reader, t.ReaderPassword
	if err := e.setRole(ctx, reader); err != nil {
		return err
	}
	conn, release, err := e.admin(ctx, t.Database)
	if err != nil {
		return err
	}
	defer release()
	// An older journal would record what a reader is refused.
	tracked, err := names(ctx, conn, "SELECT relname::text FROM pg_class WHERE oid = to_regclass('pg_tenantsdb.version')")
	if err == nil && len(tracked) > 0 {
		err = e.upgradeJournal(ctx, conn, t.Database)
	}
	if err != nil {
		return fmt.Errorf("look for the journal of %s: %w", t.Database, err)
	}
	for range readerTries {
		if err = grantReads(ctx, conn, t); sqlState(err) != internalError {
			break
		}
	}
	switch {
	case err == nil:
		return nil
	case sqlState(err) == lockNotAvailable || sqlState(err) == internalError:
		return workspace.Errorf(workspace.Unavailable, "database %s is being changed by a transaction that does not end: try again when it has", t.Database).Because(err)
	}
	return fmt.Errorf("let %s read database %s: %w", t.Reader, t.Database, err)
}

// grantReads gives the reader what it lacks. What a client made while the rights
// on the future were not there yet is seen by the second look. The journal hears
// nothing of it.
func grantReads(ctx context.Context, conn *pgx.Conn, t workspace.Target) error {
	reader, own := quote(t.Reader), quote(owner(t).Role)
	roles := own + ", " + quote(t.Role)
	future := strings.Join([]string{
		"ALTER ROLE " + reader + " RESET ALL",
		"ALTER ROLE " + reader + " SET default_transaction_read_only = on",
		"GRANT CONNECT ON DATABASE " + quote(t.Database) + " TO " + reader,
		"REVOKE EXECUTE ON FUNCTION " + makesObjects + " FROM PUBLIC",
		"GRANT EXECUTE ON FUNCTION " + makesObjects + " TO " + roles,
		"ALTER DEFAULT PRIVILEGES FOR ROLE " + own + " GRANT USAGE ON SCHEMAS TO " + reader,
		"ALTER DEFAULT PRIVILEGES FOR ROLE " + own + " GRANT SELECT ON TABLES TO " + reader,
		"ALTER DEFAULT PRIVILEGES FOR ROLE " + own + " GRANT SELECT ON SEQUENCES TO " + reader,
	}, ";\n")
	err := unjournaled(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Conn().PgConn().Exec(ctx, future).ReadAll()
		return err
	})
	if err != nil {
		return err
	}
	return unjournaled(ctx, conn, func(tx pgx.Tx) error {
		statements, err := names(ctx, tx, lackingReadsSQL, owner(t).Role, t.Reader)
		if err != nil || len(statements) == 0 {
			return err
		}
		_, err = tx.Conn().PgConn().Exec(ctx, strings.Join(statements, ";\n")).ReadAll()
		return err
	})
}

// unjournaled runs do in a transaction that fires no event trigger and waits for
// nobody for long.
func unjournaled(ctx context.Context, conn *pgx.Conn, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		begin := "SET LOCAL session_replication_role = replica; SET LOCAL lock_timeout = '" + readerWait + "'"
		if _, err := tx.Conn().PgConn().Exec(ctx, begin).ReadAll(); err != nil {
			return err
		}
		return do(tx)
	})
}

// lackingReadsSQL gives the statements that let the reader $2 read what the owner
// $1 has.
const lackingReadsSQL = ownedSQL + `
	` + lackingUsageSQL + `
	UNION ALL
	SELECT 'GRANT SELECT ON ' || CASE r.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || r.name || ' TO ' || role.name
	FROM relation r, role
	WHERE (` + holds + `'SELECT', false)) IS NOT TRUE`

// DropReader ends the reader's sessions and removes the role with what it was
// given in the database.
func (e *Engine) DropReader(ctx context.Context, t workspace.Target) error {
	if t.Reader == e.config.User {
		return fmt.Errorf("drop role %s: it is the admin's", t.Reader)
	}
	conn, release, err := e.admin(ctx, t.Database)
	if err != nil {
		return err
	}
	defer release()
	found, err := names(ctx, conn, "SELECT rolname::text FROM pg_roles WHERE rolname = $1", t.Reader)
	if err != nil || len(found) == 0 {
		return err
	}
	reader, roles := quote(t.Reader), quote(owner(t).Role)+", "+quote(t.Role)
	// Nobody logs in as it between the end of its sessions and its own.
	if _, err := conn.Exec(ctx, "ALTER ROLE "+reader+" NOLOGIN"); err != nil {
		return fmt.Errorf("close role %s: %w", t.Reader, err)
	}
	if _, err := conn.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", t.Reader); err != nil {
		return fmt.Errorf("end sessions of %s: %w", t.Reader, err)
	}
	for range readerTries {
		err = unjournaled(ctx, conn, func(tx pgx.Tx) error {
			script := strings.Join([]string{
				"GRANT EXECUTE ON FUNCTION " + makesObjects + " TO PUBLIC",
				"REVOKE EXECUTE ON FUNCTION " + makesObjects + " FROM " + roles,
				"DROP OWNED BY " + reader,
				"DROP ROLE " + reader,
			}, ";\n")
			_, err := tx.Conn().PgConn().Exec(ctx, script).ReadAll()
			return err
		})
		if sqlState(err) != internalError {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("drop role %s: %w", t.Reader, err)
	}
	return nil
}
