package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// ok is the reply to what needs no other.
func ok() *bsoncore.DocumentBuilder { return bsoncore.NewDocumentBuilder().AppendDouble("ok", 1) }

func answerOK(*client, *request) ([]byte, *failure) { return ok().Build(), nil }

// answerPing answers for the servers: one of them was seen.
func answerPing(c *client, _ *request) ([]byte, *failure) {
	if _, err := c.protocol.seeServers(context.Background()); err != nil {
		return nil, unreachable("the database server")
	}
	return ok().Build(), nil
}

// answerHello is hello on a connection with a session, which waits for nothing.
func answerHello(c *client, q *request) ([]byte, *failure) {
	g, err := parseGreeting(q.name, q.body)
	if err != nil {
		return nil, asFailure(err)
	}
	v, err := c.protocol.seeServers(context.Background())
	if err != nil {
		return nil, unreachable("the database server")
	}
	return g.answer(c, v), nil
}

// answerBuildInfo gives the server's own.
func answerBuildInfo(c *client, _ *request) ([]byte, *failure) {
	v, err := c.protocol.seeServers(context.Background())
	if err != nil {
		return nil, unreachable("the database server")
	}
	if v.buildInfo != nil {
		return v.buildInfo, nil
	}
	return ok().AppendString("version", serverVersion(v.MaxWire)).AppendInt32("bits", 64).
		AppendInt32("maxBsonObjectSize", v.MaxDocument).Build(), nil
}

// serverVersion is the first server that had that wire version, for servers
// that tell their own only after a login.
func serverVersion(wire int32) string {
	versions := map[int32]string{13: "5.0.0", 17: "6.0.0", 21: "7.0.0", 25: "8.0.0", 26: "8.1.0", 27: "8.2.0"}
	if v, ok := versions[wire]; ok {
		return v
	}
	return "4.4.0"
}

func answerWhatsMyURI(c *client, _ *request) ([]byte, *failure) {
	return ok().AppendString("you", c.conn.RemoteAddr().String()).Build(), nil
}

func answerConnectionStatus(c *client, _ *request) ([]byte, *failure) {
	users, roles := bsoncore.NewArrayBuilder(), bsoncore.NewArrayBuilder()
	if c.authenticated && !c.loggedOut {
		users.AppendDocument(bsoncore.NewDocumentBuilder().AppendString("user", c.user).AppendString("db", "$external").Build())
	}
	return ok().AppendDocument("authInfo", bsoncore.NewDocumentBuilder().
		AppendArray("authenticatedUsers", users.Build()).
		AppendArray("authenticatedUserRoles", roles.Build()).Build()).Build(), nil
}

// answerLogout ends the login; the connection can't have another.
func answerLogout(c *client, _ *request) ([]byte, *failure) {
	c.loggedOut = true
	return ok().Build(), nil
}

// answerSASL is for a connection that has its login.
func answerSASL(*client, *request) ([]byte, *failure) {
	return nil, unauthorized("this connection is authenticated already")
}

// answerAuthenticate is for a client that does not speak SASL.
func answerAuthenticate(*client, *request) ([]byte, *failure) {
	return nil, mechanismUnavailable()
}

// answerListDatabases shows what this connection can reach: the database that
// it is bound to, or those that it may name.
func answerListDatabases(c *client, _ *request) ([]byte, *failure) {
	names := []string{c.database}
	if c.database == "" {
		names = c.protocol.config.Directory.Databases(workspace.MongoDB, c.user)
	}
	list := bsoncore.NewArrayBuilder()
	for _, name := range names {
		list.AppendDocument(bsoncore.NewDocumentBuilder().AppendString("name", name).
			AppendInt64("sizeOnDisk", 0).AppendBoolean("empty", false).Build())
	}
	return ok().AppendArray("databases", list.Build()).AppendInt64("totalSize", 0).Build(), nil
}

// answerGetParameter answers what shells ask for.
func answerGetParameter(c *client, q *request) ([]byte, *failure) {
	asked, err := lookup(q.body, "featureCompatibilityVersion")
	if err != nil {
		return nil, asFailure(err)
	}
	if asked.kind == 0 {
		return nil, unauthorized("getParameter is available for featureCompatibilityVersion only: %s", whyServer)
	}
	v, err := c.protocol.seeServers(context.Background())
	if err != nil {
		return nil, unreachable("the database server")
	}
	version := serverVersion(v.MaxWire)
	return ok().AppendDocument("featureCompatibilityVersion", bsoncore.NewDocumentBuilder().
		AppendString("version", version[:len(version)-len(".0")]).Build()).Build(), nil
}

// answerGetLog shows an empty log of warnings: the server's is not the client's.
func answerGetLog(_ *client, q *request) ([]byte, *failure) {
	if name := q.collection(); string(name) != "startupWarnings" {
		return nil, unauthorized("getLog is available for startupWarnings only: %s", whyOthers)
	}
	return ok().AppendInt32("totalLinesWritten", 0).AppendArray("log", bsoncore.NewArrayBuilder().Build()).Build(), nil
}

func answerFreeMonitoring(*client, *request) ([]byte, *failure) {
	return ok().AppendString("state", "disabled").Build(), nil
}
