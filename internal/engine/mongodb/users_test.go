package mongodb

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// logged is a log that a test reads.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestAWorkspacesUserOwnsItsDatabaseAlone is about a server that has users.
func TestAWorkspacesUserOwnsItsDatabaseAlone(t *testing.T) {
	s, log := newUserServer(t), &logged{}
	e, err := New(Config{Name: "main", URI: s.uri(), Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx := t.Context()
	if err := e.Prepare(ctx); err != nil {
		t.Fatal(err)
	}
	if !e.HasRoles() || log.String() != "" {
		t.Errorf("a server with users: has roles %t, the log says %s", e.HasRoles(), log.String())
	}
	target := workspace.Target{Database: "shop_workspace", Role: "shop_workspace", Password: "planted-secret"}
	user := target.Database + "." + target.Role
	if exists, err := e.Exists(ctx, target.Database); exists || err != nil {
		t.Errorf("before it is made: got %t %v", exists, err)
	}
	// A crash may have it made twice.
	for _, want := range [][]string{{"createUser"}, {"createUser", "updateUser"}} {
		s.sent()
		if err := e.Create(ctx, target, false); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range s.sent() {
			if !strings.HasSuffix(c.name, "User") {
				continue
			}
			got = append(got, c.name)
			roles, _ := valueOf(c.command, "roles").(bson.A)
			if c.user != rootUser || c.database != target.Database || len(roles) != 1 ||
				valueOf(roles[0].(bson.D), "role") != "dbOwner" || valueOf(roles[0].(bson.D), "db") != target.Database {
				t.Errorf("%s sends %v on %s", c.user, c.command, c.database)
			}
		}
		if !slices.Equal(got, want) || s.password(user) != target.Password {
			t.Errorf("got %v with the password %q", got, s.password(user))
		}
	}
	if exists, err := e.Exists(ctx, target.Database); !exists || err != nil {
		t.Errorf("after it is made: got %t %v", exists, err)
	}
	queries := func(when string) {
		t.Helper()
		s.sent()
		for _, text := range []string{`db.users.insertOne({_id: 1})`, `db.users.find()`, `{"count": "users"}`} {
			if _, err := e.Query(ctx, target, text, workspace.Limits{}); err != nil {
				t.Fatalf("%s: %s: %v, because %v", when, text, err, errors.Unwrap(err))
			}
		}
		ran := 0
		for _, c := range s.sent() {
			if c.database != target.Database || strings.HasPrefix(c.name, "list") || strings.HasSuffix(c.name, "User") {
				continue // the schema is the administrator's to read
			}
			if ran++; c.user != user {
				t.Errorf("%s: %s runs as %q", when, c.name, c.user)
			}
		}
		if ran < 3 {
			t.Errorf("%s: %d commands ran, want 3 or more", when, ran)
		}
	}
	queries("as it was made")
	s.setPassword(user, "another")
	queries("after its password was changed")
	if s.password(user) != target.Password || !strings.Contains(log.String(), "password was changed") {
		t.Errorf("the password is %q, the log says %s", s.password(user), log.String())
	}
	for range 2 {
		if err := e.Drop(ctx, target); err != nil {
			t.Fatal(err)
		}
	}
	var ends []string
	for _, c := range s.sent() {
		if strings.HasPrefix(c.name, "dropAll") && c.database == target.Database {
			ends = append(ends, c.name)
		}
	}
	if want := []string{"dropAllUsersFromDatabase", "dropAllRolesFromDatabase"}; len(ends) != 4 || !slices.Equal(ends[:2], want) || s.password(user) != "" {
		t.Errorf("drop: got %v, and the password %q", ends, s.password(user))
	}
	for _, secret := range []string{rootSecret, target.Password} {
		if strings.Contains(log.String(), secret) {
			t.Error("the log holds a secret")
		}
	}
}

// TestAServerThatRefusesUsersIsAnError keeps a workspace from being made without
// its user, where the server has users.
func TestAServerThatRefusesUsersIsAnError(t *testing.T) {
	s, e := modelServer(t)
	s.mu.Lock()
	s.answers["createUser"] = refuses(13, "Unauthorized")
	s.mu.Unlock()
	target := workspace.Target{Database: "shop_workspace", Role: "shop_workspace", Password: "planted-secret"}
	err := e.Create(t.Context(), target, true)
	if err == nil || strings.Contains(err.Error(), "planted") {
		t.Errorf("got %v", err)
	}
	for _, c := range s.sent() {
		if c.name == "insert" {
			t.Errorf("a journal was begun: %v", c.command)
		}
	}
}

// TestABatchLargerThanAMessageIsTold has a server that answers as FerretDB does,
// whatever the size of the documents.
func TestABatchLargerThanAMessageIsTold(t *testing.T) {
	s, e := modelServer(t)
	target := workspace.Target{Database: "shop_workspace", Role: "shop_workspace", Password: "planted-secret"}
	if err := e.Create(t.Context(), target, false); err != nil {
		t.Fatal(err)
	}
	document := bson.D{{Key: "b", Value: make([]byte, 16<<20-64)}}
	s.mu.Lock()
	s.answers["find"] = bson.D{{Key: "ok", Value: 1.0}, {Key: "cursor", Value: bson.D{
		{Key: "firstBatch", Value: bson.A{document, document, document}}, {Key: "id", Value: int64(0)}, {Key: "ns", Value: "shop_workspace.c"}}}}
	s.mu.Unlock()
	_, err := e.Query(t.Context(), target, `db.c.find()`, noLimits)
	wantRefusal(t, "find", err, nameMemoryLimit, "ask for smaller batches (batchSize)")
}
