package mysql

import (
	"context"
	"fmt"
	"slices"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const noSuchThread = 1094

// systemDatabases are the server's and ours; no workspace may have their names.
var systemDatabases = []string{"mysql", "information_schema", "performance_schema", "sys", journalDatabase}

// Create makes the database and its roles, or finishes what an earlier call
// began. Nobody but they and administrators may use the database.
func (e *Engine) Create(ctx context.Context, t workspace.Target, tracked bool) error {
	if slices.Contains(systemDatabases, t.Database) || t.Database == "" {
		return fmt.Errorf("create database %q: it is the server's", t.Database)
	}
	c, release, err := e.admin(ctx)
	if err != nil {
		return err
	}
	defer release()
	if tracked {
		if err := e.track(ctx, t); err != nil {
			return fmt.Errorf("create database %s: %w", t.Database, err)
		}
	}
	if err := c.exec(ctx, "CREATE DATABASE IF NOT EXISTS "+quote(t.Database)+" CHARACTER SET utf8mb4"); err != nil {
		return fmt.Errorf("create database %s: %w", t.Database, err)
	}
	return e.setRoles(ctx, t, rolesOf(t))
}

// Drop removes the roles, ends the database's sessions and removes the database,
// its journal and what is noted of its deployments; what is already gone is no
// error.
func (e *Engine) Drop(ctx context.Context, t workspace.Target) error {
	if slices.ContainsFunc(rolesOf(t), func(r role) bool { return r.name == e.config.User }) || slices.Contains(systemDatabases, t.Database) {
		return fmt.Errorf("drop database %s: it is the administrator's", t.Database)
	}
	c, release, err := e.admin(ctx)
	if err != nil {
		return err
	}
	defer release()
	for _, r := range rolesOf(t) {
		if err := dropRole(ctx, c, r.name); err != nil {
			return err
		}
	}
	theirs := "DB = " + literal(t.Database)
	for _, r := range rolesOf(t) {
		theirs += " OR USER = " + literal(r.name)
	}
	if err := endSessions(ctx, c, t.Database, theirs); err != nil {
		return err
	}
	// That it is dropped is no change of its schema.
	if err := e.untrack(ctx, t.Database); err != nil {
		return fmt.Errorf("drop database %s: %w", t.Database, err)
	}
	e.announced.forget(t.Database)
	if err := c.exec(ctx, "DROP DATABASE IF EXISTS "+quote(t.Database)); err != nil {
		return fmt.Errorf("drop database %s: %w", t.Database, err)
	}
	return nil
}

// endSessions ends those that are somebody's, by a condition on the list of
// processes.
func endSessions(ctx context.Context, c *conn, whose, theirs string) error {
	rows, err := c.rows(ctx, "SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND ("+theirs+")")
	if err != nil {
		return fmt.Errorf("find sessions of %s: %w", whose, err)
	}
	for _, row := range rows {
		if err := c.exec(ctx, "KILL "+string(row[0])); err != nil && errno(err) != noSuchThread {
			return fmt.Errorf("end session of %s: %w", whose, err)
		}
	}
	return nil
}

// Exists says whether a database or a user of that name is on the server.
func (e *Engine) Exists(ctx context.Context, name string) (bool, error) {
	c, release, err := e.admin(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	row, err := c.row(ctx, "SELECT EXISTS (SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = "+literal(name)+
		") OR EXISTS (SELECT 1 FROM mysql.user WHERE User = "+literal(name)+")")
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", name, err)
	}
	return string(row[0]) == "1", nil
}
