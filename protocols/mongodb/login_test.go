package mongodb

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// plainHello is a hello with a whole PLAIN login in it.
func plainHello(database string) bson.D {
	start := plainStart(testUser, testPassword)
	start[len(start)-1] = bson.E{Key: "db", Value: database}
	return hello(bson.E{Key: "speculativeAuthenticate", Value: start})
}

// namedLogins are the ways to log in to a workspace by its database; each gives
// the last answer.
func namedLogins(t *testing.T, s *testSpace) map[string]func(c *wire) bson.M {
	d := s.route.Database
	start := plainStart(testUser, testPassword)
	return map[string]func(c *wire) bson.M{
		"SCRAM":              func(c *wire) bson.M { return logInSCRAM(t, c, d, testUser, testPassword, true, false) },
		"SCRAM, in full":     func(c *wire) bson.M { return logInSCRAM(t, c, d, testUser, testPassword, false, false) },
		"SCRAM, speculative": func(c *wire) bson.M { return logInSCRAM(t, c, d, testUser, testPassword, true, true) },
		"PLAIN":              func(c *wire) bson.M { return c.do(on(d, start[:len(start)-1])) },
		"PLAIN, speculative": func(c *wire) bson.M { return c.do(plainHello(d)) },
	}
}

func TestALoginForADatabaseIsRefusedWhereItsWorkspaceIsFull(t *testing.T) {
	w := newWorld(t)
	s, other := w.workspace(t, workspace.Control, workspace.Settings{MaxConnections: 1}), w.workspace(t, workspace.Control, workspace.Settings{})
	for name, logIn := range namedLogins(t, s) {
		t.Run(name, func(t *testing.T) {
			first, second := w.stranger(t), w.stranger(t)
			if got := logIn(first); got["ok"] != 1.0 {
				t.Fatalf("the first: got %v", got)
			}
			got := logIn(second)
			if text, _ := got["errmsg"].(string); got["code"] != int32(202) || !strings.Contains(text, "all of its 1 connections (max_connections") {
				t.Errorf("the second: got %v", got)
			}
			second.ended()
			first.want(bson.D{{Key: "ok", Value: 1.0}}, s.cmd(bson.D{{Key: "find", Value: "users"}}))
			first.refused(13, "bound to the database "+s.route.Database, other.cmd(bson.D{{Key: "find", Value: "users"}}))
			first.conn.Close()
			wiretest.Await(t, "there is room again", func() bool {
				third := w.stranger(t)
				defer third.conn.Close()
				return logIn(third)["ok"] == 1.0
			})
			wiretest.Await(t, "all have left", func() bool {
				return strings.Count(w.log.String(), "session started") == strings.Count(w.log.String(), "session ended")
			})
		})
	}
}

// TestALoginForAnUnknownDatabaseFails as it does on a server where a user is in
// one database, whatever the password.
func TestALoginForAnUnknownDatabaseFails(t *testing.T) {
	w := newWorld(t)
	for _, password := range []string{testPassword, "wrong"} {
		if got := logInSCRAM(t, w.stranger(t), "none", testUser, password, true, false); got["code"] != int32(18) || got["errmsg"] != "Authentication failed." {
			t.Errorf("got %v", got)
		}
	}
	w.stranger(t).refused(18, "Authentication failed", on("none", plainStart(testUser, testPassword)[:3]))
}

func TestALoginToAServerThatIsDownIsReported(t *testing.T) {
	down := workspace.Address{Network: "unix", Addr: t.TempDir() + "/none"}
	w := newWorld(t)
	s := w.workspaceAt(t, down, workspace.Control, workspace.Settings{})
	c := w.stranger(t)
	if got := logInSCRAM(t, c, s.route.Database, testUser, testPassword, true, false); got["code"] != int32(6) {
		t.Errorf("got %v", got)
	}
	c.ended()
}

// TestDriversHearOfAFullWorkspaceWhenTheyLogIn has a driver that connects as the
// connection string says, whose database is where its user is.
func TestDriversHearOfAFullWorkspaceWhenTheyLogIn(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Control, workspace.Settings{MaxConnections: 1})
	holder := w.stranger(t)
	if got := logInSCRAM(t, holder, s.route.Database, testUser, testPassword, true, true); got["done"] != true {
		t.Fatalf("got %v", got)
	}
	for _, query := range []string{"", "&directConnection=true"} {
		o := options.Client().ApplyURI(s.uri(query)).SetTLSConfig(w.cert.Client()).SetServerSelectionTimeout(5 * time.Second)
		ctx, done := context.WithTimeout(t.Context(), patience)
		err := connect(t, o).Database(s.route.Database).Collection("c").FindOne(ctx, bson.D{}).Err()
		done()
		if err == nil || errors.Is(err, mongo.ErrNoDocuments) || !strings.Contains(err.Error(), "auth") || !strings.Contains(err.Error(), "max_connections") {
			t.Errorf("%q: got %v, want the limit, at authentication", query, err)
		}
	}
	holder.conn.Close()
	db := s.driver(t, "&maxPoolSize=1")
	wiretest.Await(t, "a driver is let in", func() bool {
		ctx, done := context.WithTimeout(t.Context(), patience)
		defer done()
		_, err := db.Collection("c").InsertOne(ctx, bson.D{})
		return err == nil
	})
}
