package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const (
	duplicateDatabase = "42P04"
	undefinedDatabase = "3D000"
)

// Create makes the role and its database, or finishes what an earlier call
// began. The role owns the database, and nobody else may connect to it. Of a
// tenant there are two roles: the owner, and the one that may connect beside it.
func (e *Engine) Create(ctx context.Context, t workspace.Target, tracked bool) error {
	own := owner(t)
	if err := e.setRole(ctx, own); err != nil {
		return err
	}
	if t.Owner != "" {
		if err := e.setRole(ctx, t); err != nil {
			return err
		}
	}
	if err := e.createDatabase(ctx, own); err != nil {
		return err
	}
	conn, release, err := e.admin(ctx, t.Database)
	if err != nil {
		return err
	}
	defer release()
	if err := ownPublicSchema(ctx, conn, own.Role); err != nil {
		return fmt.Errorf("create database %s: %w", t.Database, err)
	}
	switch {
	case t.Owner != "":
		err = letIn(ctx, conn, t)
	case tracked:
		if err = installJournal(ctx, conn); err != nil {
			err = fmt.Errorf("create database %s: %w", t.Database, err)
		}
	}
	if err != nil || t.Reader == "" {
		return err
	}
	return e.SetReader(ctx, t)
}

// createDatabase makes the database from template0, which nobody can have
// changed, and leaves it to its owner alone.
func (e *Engine) createDatabase(ctx context.Context, t workspace.Target) error {
	conn, release, err := e.admin(ctx, e.config.Database)
	if err != nil {
		return err
	}
	defer release()
	name := quote(t.Database)
	_, err = conn.Exec(ctx, "CREATE DATABASE "+name+" OWNER "+quote(t.Role)+" TEMPLATE template0 ENCODING 'UTF8'")
	if err != nil && sqlState(err) != duplicateDatabase {
		return fmt.Errorf("create database %s: %w", t.Database, err)
	}
	if sqlState(err) == duplicateDatabase {
		// A Drop that was cut short has closed it.
		if _, err := conn.Exec(ctx, "ALTER DATABASE "+name+" WITH ALLOW_CONNECTIONS true"); err != nil {
			return fmt.Errorf("open database %s: %w", t.Database, err)
		}
		if _, err := conn.Exec(ctx, "ALTER DATABASE "+name+" OWNER TO "+quote(t.Role)); err != nil {
			return fmt.Errorf("give database %s to its role: %w", t.Database, err)
		}
	}
	return closeDatabase(ctx, conn, t.Database)
}

// ownPublicSchema gives the role what PostgreSQL 15 gives a database's owner by
// itself; on 15 it changes nothing, so that a dump shows nothing of it.
func ownPublicSchema(ctx context.Context, conn *pgx.Conn, role string) error {
	version, err := serverVersion(ctx, conn)
	if err != nil {
		return err
	}
	owner := "pg_database_owner"
	switch {
	case version >= 150000:
		return nil
	case version < 140000:
		owner = quote(role)
	}
	if _, err := conn.Exec(ctx, "ALTER SCHEMA public OWNER TO "+owner); err != nil {
		return fmt.Errorf("give schema public to the role: %w", err)
	}
	return nil
}

// Drop ends the database's sessions and removes database, role and owner; what
// is already gone is no error.
func (e *Engine) Drop(ctx context.Context, t workspace.Target) error {
	if t.Role == e.config.User || t.Owner == e.config.User || t.Reader == e.config.User || t.Database == e.config.Database {
		return fmt.Errorf("drop database %s: it is the admin's", t.Database)
	}
	conn, release, err := e.admin(ctx, e.config.Database)
	if err != nil {
		return err
	}
	defer release()
	if err := e.rollbackPrepared(ctx, conn, t.Database); err != nil {
		return err
	}
	e.admins.discard(ctx, t.Database)
	name := quote(t.Database)
	// Its owner may have made it a template, which can't be dropped.
	_, err = conn.Exec(ctx, "ALTER DATABASE "+name+" WITH ALLOW_CONNECTIONS false IS_TEMPLATE false")
	if err != nil && sqlState(err) != undefinedDatabase {
		return fmt.Errorf("close database %s: %w", t.Database, err)
	}
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop database %s: %w", t.Database, err)
	}
	for _, role := range []string{t.Role, owner(t).Role, t.Reader} {
		if role == "" {
			continue
		}
		if _, err := conn.Exec(ctx, "DROP ROLE IF EXISTS "+quote(role)); err != nil {
			return fmt.Errorf("drop role %s: %w", role, err)
		}
	}
	return nil
}

// rollbackPrepared ends the database's prepared transactions, which would keep
// it from being dropped. They can be ended only from inside.
func (e *Engine) rollbackPrepared(ctx context.Context, conn *pgx.Conn, database string) error {
	gids, err := names(ctx, conn, "SELECT gid FROM pg_prepared_xacts WHERE database = $1", database)
	if err != nil {
		return fmt.Errorf("find prepared transactions of %s: %w", database, err)
	}
	if len(gids) == 0 {
		return nil
	}
	if _, err := conn.Exec(ctx, "ALTER DATABASE "+quote(database)+" WITH ALLOW_CONNECTIONS true"); err != nil {
		return fmt.Errorf("open database %s: %w", database, err)
	}
	inside, release, err := e.admin(ctx, database)
	if err != nil {
		return err
	}
	defer release()
	for _, gid := range gids {
		if _, err := inside.Exec(ctx, "ROLLBACK PREPARED "+literal(gid)); err != nil {
			return fmt.Errorf("roll back prepared transaction of %s: %w", database, err)
		}
	}
	return nil
}

// Exists says whether a database or a role of that name is on the server.
func (e *Engine) Exists(ctx context.Context, name string) (bool, error) {
	conn, release, err := e.admin(ctx, e.config.Database)
	if err != nil {
		return false, err
	}
	defer release()
	var found bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)
		OR EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, name).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", name, err)
	}
	return found, nil
}
