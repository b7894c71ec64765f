package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// asRole is a client that is the target's user, where the server has users; else
// it is the administrator's, and what runs on it has to be fenced in. The caller
// releases it.
func (e *Engine) asRole(ctx context.Context, t workspace.Target) (client *mongo.Client, release func(), err error) {
	return e.as(ctx, t, t.Role, t.Password)
}

// asOwner is asRole for the owner of a tenant's database.
func (e *Engine) asOwner(ctx context.Context, t workspace.Target) (client *mongo.Client, release func(), err error) {
	return e.as(ctx, t, t.Owner, t.OwnerPassword)
}

func (e *Engine) as(ctx context.Context, t workspace.Target, user, password string) (client *mongo.Client, release func(), err error) {
	n, err := e.kind(ctx)
	if err != nil {
		return nil, nil, err
	}
	if !n.users {
		return e.client, func() {}, nil
	}
	client, release, err = e.connectAs(ctx, t.Database, user, password)
	if code(err) != codeAuthFailed {
		return client, release, err
	}
	e.config.Log.WarnContext(ctx, "user's password was changed on the server; putting it back", "server", e.config.Name, "user", user)
	if err := e.setUsers(ctx, t); err != nil {
		return nil, nil, err
	}
	return e.connectAs(ctx, t.Database, user, password)
}

func (e *Engine) connectAs(ctx context.Context, database, user, password string) (*mongo.Client, func(), error) {
	login := options.Client().ApplyURI(e.config.URI).SetAppName("tenantsdb").
		SetServerSelectionTimeout(connectTimeout).SetConnectTimeout(connectTimeout).SetMaxPoolSize(2).
		SetAuth(options.Credential{AuthSource: database, Username: user, Password: password})
	client, err := mongo.Connect(login)
	if err != nil {
		return nil, nil, e.failed("connect as user "+user, err)
	}
	release := func() { disconnect(ctx, client) }
	if err := client.Database(database).RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Err(); err != nil {
		release()
		if code(err) == codeAuthFailed {
			return nil, nil, err
		}
		return nil, nil, e.failed("connect as user "+user, err)
	}
	return client, release, nil
}

// disconnect closes a client, also when ctx has ended; it does not wait long.
func disconnect(ctx context.Context, client *mongo.Client) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	// The server may have closed it first; there is nobody to tell.
	_ = client.Disconnect(ctx)
}

// databaseFor is where a command about the database runs: a rename's is admin.
func databaseFor(client *mongo.Client, database string, command bson.D) *mongo.Database {
	switch command[0].Key {
	case "renameCollection", "bulkWrite":
		return client.Database(adminDatabase)
	}
	return client.Database(database)
}
