package mongodb

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// oldestVersion is the first whose listings and options we know.
const oldestVersion = 6

// adminDatabase is where commands about the server run.
const adminDatabase = "admin"

// nature is what kind of server it is.
type nature struct {
	ferret bool // FerretDB
	users  bool // it has users
}

// Prepare checks the server's version, and says where nothing but the proxy
// keeps workspaces apart.
func (e *Engine) Prepare(ctx context.Context) error {
	n, err := e.kind(ctx)
	if err != nil {
		return err
	}
	if !n.users {
		e.config.Log.WarnContext(ctx, "server has no users: the proxy alone keeps workspaces apart; nobody else may reach the server", "server", e.config.Name)
		return nil
	}
	if e.login.Auth == nil {
		e.config.Log.WarnContext(ctx, "server lets anybody in without a login: the proxy alone keeps workspaces apart until it runs with authorization enabled", "server", e.config.Name)
	}
	return nil
}

// Ping proves that the server answers.
func (e *Engine) Ping(ctx context.Context) error {
	if err := e.client.Database(adminDatabase).RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Err(); err != nil {
		return e.failed("ping", err)
	}
	return nil
}

// kind asks the server once what it is.
func (e *Engine) kind(ctx context.Context) (nature, error) {
	e.mu.Lock()
	known := e.nature
	e.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	n, err := e.askKind(ctx)
	if err != nil {
		return nature{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.nature = &n
	return n, nil
}

func (e *Engine) askKind(ctx context.Context) (nature, error) {
	admin := e.client.Database(adminDatabase)
	var build struct {
		Version  string   `bson:"version"`
		Numbers  []int32  `bson:"versionArray"`
		Ferret   string   `bson:"ferretdbVersion"`
		Embedded bson.Raw `bson:"ferretdb"`
	}
	if err := admin.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&build); err != nil {
		return nature{}, e.failed("ask for the version", err)
	}
	if len(build.Numbers) == 0 || build.Numbers[0] < oldestVersion {
		return nature{}, fmt.Errorf("mongodb server %s has version %q: %d or newer is needed", e.config.Name, build.Version, oldestVersion)
	}
	n := nature{ferret: build.Ferret != "" || len(build.Embedded) > 0}
	err := admin.RunCommand(ctx, bson.D{{Key: "usersInfo", Value: 1}}).Err()
	switch {
	case err == nil:
		n.users = true
	case code(err) != codeCommandNotFound:
		return nature{}, e.failed("look for users", err)
	}
	return n, nil
}
