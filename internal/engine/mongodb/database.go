package mongodb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Create makes the users, where the server has users, and notes the database,
// which the server makes with its first collection.
func (e *Engine) Create(ctx context.Context, t workspace.Target, tracked bool) error {
	if err := ownable(t.Database); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if err := e.setUsers(ctx, t); err != nil {
		return err
	}
	if err := e.begin(ctx, t.Database, tracked); err != nil {
		return fmt.Errorf("create database %s: %w", t.Database, err)
	}
	return nil
}

// Drop removes the users, the database and what was noted of it; what is already
// gone is no error.
func (e *Engine) Drop(ctx context.Context, t workspace.Target) error {
	if err := ownable(t.Database); err != nil {
		return fmt.Errorf("drop: %w", err)
	}
	if err := e.dropUsers(ctx, t.Database); err != nil {
		return err
	}
	if err := e.client.Database(t.Database).Drop(ctx); err != nil {
		return e.failed("drop database "+t.Database, err)
	}
	if err := e.journal(t.Database).Drop(ctx); err != nil {
		return e.failed("drop the journal of "+t.Database, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.databases, t.Database)
	return nil
}

// ownable refuses the databases that are the server's or ours.
func ownable(name string) error {
	if slices.Contains([]string{"admin", "local", "config", journalDatabase, ""}, strings.ToLower(name)) {
		return fmt.Errorf("database %q is the administrator's", name)
	}
	return nil
}

// Exists says whether a database, a user or a journal of that name is on the
// server. Names that differ only in case are the same to it.
func (e *Engine) Exists(ctx context.Context, name string) (bool, error) {
	if ownable(name) != nil {
		return true, nil
	}
	all, err := e.client.ListDatabaseNames(ctx, bson.D{})
	if err != nil {
		return false, e.failed("list databases", err)
	}
	journals, err := e.client.Database(journalDatabase).ListCollectionNames(ctx, bson.D{})
	if err != nil {
		return false, e.failed("list journals", err)
	}
	for _, j := range journals {
		if database, ok := strings.CutPrefix(j, journalPrefix); ok {
			all = append(all, database)
		}
	}
	if slices.ContainsFunc(all, func(other string) bool { return strings.EqualFold(other, name) }) {
		return true, nil
	}
	return e.hasUsers(ctx, name)
}
