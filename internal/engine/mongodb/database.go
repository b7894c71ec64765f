package mongodb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// Create makes the user, where the server has users, and notes the database,
// which the server makes with its first collection.
func (e *Engine) Create(ctx context.Context, t workspace.Target, tracked bool) error {
	if err := ownable(t.Database); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if err := e.setRole(ctx, t); err != nil {
		return err
	}
	if err := e.begin(ctx, t.Database, tracked); err != nil {
		return fmt.Errorf("create database %s: %w", t.Database, err)
	}
	return nil
}

// Drop removes the user, the database and what was noted of it; what is already
// gone is no error.
func (e *Engine) Drop(ctx context.Context, t workspace.Target) error {
	if err := ownable(t.Database); err != nil {
		return fmt.Errorf("drop: %w", err)
	}
	if err := e.dropRole(ctx, t); err != nil {
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
	return e.roleExists(ctx, name)
}

// setRole makes the workspace's user, who owns its database, or sets the
// password of the one that is there.
func (e *Engine) setRole(ctx context.Context, t workspace.Target) error {
	n, err := e.kind(ctx)
	if err != nil || !n.users {
		return err
	}
	role := bson.A{bson.D{{Key: "role", Value: "dbOwner"}, {Key: "db", Value: t.Database}}}
	database := e.client.Database(t.Database)
	err = database.RunCommand(ctx, bson.D{{Key: "createUser", Value: t.Role}, {Key: "pwd", Value: t.Password}, {Key: "roles", Value: role}}).Err()
	if code(err) == codeUserExists {
		err = database.RunCommand(ctx, bson.D{{Key: "updateUser", Value: t.Role}, {Key: "pwd", Value: t.Password}, {Key: "roles", Value: role}}).Err()
	}
	if err != nil {
		return e.failed("make user "+t.Role, err)
	}
	return nil
}

func (e *Engine) dropRole(ctx context.Context, t workspace.Target) error {
	n, err := e.kind(ctx)
	if err != nil || !n.users {
		return err
	}
	// Its owner may have made others.
	err = e.client.Database(t.Database).RunCommand(ctx, bson.D{{Key: "dropAllUsersFromDatabase", Value: 1}}).Err()
	if err != nil && code(err) != codeUserNotFound {
		return e.failed("drop user "+t.Role, err)
	}
	err = e.client.Database(t.Database).RunCommand(ctx, bson.D{{Key: "dropAllRolesFromDatabase", Value: 1}}).Err()
	if err != nil {
		return e.failed("drop roles of "+t.Database, err)
	}
	return nil
}

// roleExists says whether a user of that name is in the database of that name.
func (e *Engine) roleExists(ctx context.Context, name string) (bool, error) {
	n, err := e.kind(ctx)
	if err != nil || !n.users {
		return false, err
	}
	var found struct {
		Users []bson.Raw `bson:"users"`
	}
	if err := e.client.Database(name).RunCommand(ctx, bson.D{{Key: "usersInfo", Value: 1}}).Decode(&found); err != nil {
		return false, e.failed("look for user "+name, err)
	}
	return len(found.Users) > 0, nil
}
