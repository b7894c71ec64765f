package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// setUsers makes the database's users, where the server has users, or puts back
// the passwords and roles of those that are there. A workspace's user owns its
// database. A tenant's has a role of its own beside the owner; see clientRole.
func (e *Engine) setUsers(ctx context.Context, t workspace.Target) error {
	n, err := e.kind(ctx)
	if err != nil || !n.users {
		return err
	}
	if t.Reader != "" {
		if err := e.SetReader(ctx, t); err != nil {
			return err
		}
	}
	if t.Owner == "" {
		return e.setUser(ctx, t.Database, t.Role, t.Password, ownerRole)
	}
	if err := e.setUser(ctx, t.Database, t.Owner, t.OwnerPassword, ownerRole); err != nil {
		return err
	}
	if err := e.setRole(ctx, t); err != nil {
		return err
	}
	return e.setUser(ctx, t.Database, t.Role, t.Password, t.Role)
}

// SetReader makes the user who may only read the database, where the server has
// users; the proxy alone holds readers to that where it has none.
func (e *Engine) SetReader(ctx context.Context, t workspace.Target) error {
	n, err := e.kind(ctx)
	if err != nil || !n.users {
		return err
	}
	return e.setUser(ctx, t.Database, t.Reader, t.ReaderPassword, readerRole)
}

// DropReader removes that user, whose sessions may do nothing from then on.
func (e *Engine) DropReader(ctx context.Context, t workspace.Target) error {
	n, err := e.kind(ctx)
	if err != nil || !n.users {
		return err
	}
	err = e.client.Database(t.Database).RunCommand(ctx, bson.D{{Key: "dropUser", Value: t.Reader}}).Err()
	if err != nil && code(err) != codeUserNotFound {
		return e.failed("drop user "+t.Reader, err)
	}
	return nil
}

// The server's own roles that may do anything within a database, and that may
// only read it.
const (
	ownerRole  = "dbOwner"
	readerRole = "read"
)

// setUser makes a user with one role of its database, or puts back what the one
// that is there has.
func (e *Engine) setUser(ctx context.Context, database, user, password, role string) error {
	fields := bson.D{{Key: "pwd", Value: password}, {Key: "roles", Value: bson.A{bson.D{{Key: "role", Value: role}, {Key: "db", Value: database}}}}}
	if err := e.createOrUpdate(ctx, database, "User", user, codeUserExists, fields); err != nil {
		return e.failed("make user "+user, err)
	}
	return nil
}

// setRole makes the role of a tenant's clients.
func (e *Engine) setRole(ctx context.Context, t workspace.Target) error {
	if err := e.createOrUpdate(ctx, t.Database, "Role", t.Role, codeRoleExists, clientRole(t.Database)); err != nil {
		return e.failed("make role "+t.Role, err)
	}
	return nil
}

// createOrUpdate creates a user or a role, or updates the one that is there.
func (e *Engine) createOrUpdate(ctx context.Context, database, kind, name string, exists int32, fields bson.D) error {
	run := func(command string) error {
		return e.client.Database(database).RunCommand(ctx, append(bson.D{{Key: command + kind, Value: name}}, fields...)).Err()
	}
	err := run("create")
	if code(err) == exists {
		return run("update")
	}
	return err
}

// clientRole is what a tenant's clients may do: read, and write documents. The
// server has no right to write documents that does not include the making of
// collections by that (and, for it is the same right, by create: only the proxy
// tells them apart; https://jira.mongodb.org/browse/SERVER-15181). GridFS makes
// the indexes of a bucket at the first upload, whatever its name, and there is no
// right for names with an ending: which indexes, the proxy decides. Nothing that
// is there can be dropped, renamed or modified, and no collection capped.
func clientRole(database string) bson.D {
	return bson.D{
		{Key: "privileges", Value: bson.A{bson.D{
			{Key: "resource", Value: bson.D{{Key: "db", Value: database}, {Key: "collection", Value: ""}}}, // all but the server's own
			{Key: "actions", Value: bson.A{"insert", "update", "remove", "createIndex"}},
		}}},
		{Key: "roles", Value: bson.A{bson.D{{Key: "role", Value: "read"}, {Key: "db", Value: database}}}},
	}
}

// dropUsers removes the database's users and roles. Its owner may have made
// others.
func (e *Engine) dropUsers(ctx context.Context, database string) error {
	n, err := e.kind(ctx)
	if err != nil || !n.users {
		return err
	}
	err = e.client.Database(database).RunCommand(ctx, bson.D{{Key: "dropAllUsersFromDatabase", Value: 1}}).Err()
	if err != nil && code(err) != codeUserNotFound {
		return e.failed("drop users of "+database, err)
	}
	err = e.client.Database(database).RunCommand(ctx, bson.D{{Key: "dropAllRolesFromDatabase", Value: 1}}).Err()
	if err != nil {
		return e.failed("drop roles of "+database, err)
	}
	return nil
}

// hasUsers says whether the database has a user.
func (e *Engine) hasUsers(ctx context.Context, database string) (bool, error) {
	n, err := e.kind(ctx)
	if err != nil || !n.users {
		return false, err
	}
	var found struct {
		Users []bson.Raw `bson:"users"`
	}
	if err := e.client.Database(database).RunCommand(ctx, bson.D{{Key: "usersInfo", Value: 1}}).Decode(&found); err != nil {
		return false, e.failed("look for users of "+database, err)
	}
	return len(found.Users) > 0, nil
}
