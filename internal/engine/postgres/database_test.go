package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func TestCreateMayBeRepeatedAtEachStep(t *testing.T) {
	e := newEngine(t)
	target := newTarget()
	steps := map[string]func() error{
		"role only":     func() error { return e.setRole(t.Context(), target) },
		"database only": func() error { return e.createDatabase(t.Context(), target) },
		"everything":    func() error { return e.Create(t.Context(), target, true) },
		"half dropped": func() error {
			return execAdmin(t, e, "ALTER DATABASE "+quote(target.Database)+" WITH ALLOW_CONNECTIONS false")
		},
	}
	for _, name := range []string{"role only", "database only", "everything", "half dropped"} {
		if err := steps[name](); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := e.Create(t.Context(), target, true); err != nil {
			t.Fatalf("create after %s: %v", name, err)
		}
		asRole(t, target, "CREATE TABLE IF NOT EXISTS t (a int)")
	}
	for _, name := range []string{target.Database, target.Role} {
		if exists, err := e.Exists(t.Context(), name); err != nil || !exists {
			t.Errorf("exists %s: got %v, %v", name, exists, err)
		}
	}
	for range 2 {
		if err := e.Drop(t.Context(), target); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{target.Database, target.Role} {
		if exists, err := e.Exists(t.Context(), name); err != nil || exists {
			t.Errorf("exists %s after drop: got %v, %v", name, exists, err)
		}
	}
}

func TestCreateQuotesNames(t *testing.T) {
	e := newEngine(t)
	target := workspace.Target{Database: `odd"; DROP ROLE postgres; --`, Role: `Odd "role' \`, Password: `pass'word\`}
	if err := e.Create(t.Context(), target, true); err != nil {
		t.Fatal(err)
	}
	result, err := e.Query(t.Context(), target, "SELECT current_user::text, current_database()::text", workspace.Limits{})
	if err != nil || result.Rows[0][0] != target.Role || result.Rows[0][1] != target.Database {
		t.Errorf("got %v, %v", result.Rows, err)
	}
	if err := e.Drop(t.Context(), target); err != nil {
		t.Fatal(err)
	}
}

func TestAdminsOwnNamesAreRefused(t *testing.T) {
	e := newEngine(t)
	if err := e.Create(t.Context(), workspace.Target{Database: "x", Role: "postgres", Password: "x"}, false); err == nil {
		t.Error("the admin's role was taken for a workspace")
	}
	if err := e.Drop(t.Context(), workspace.Target{Database: "postgres", Role: "x"}); err == nil {
		t.Error("the admin's database was dropped")
	}
	if err := e.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDropWhateverItsOwnerDid(t *testing.T) {
	e := newEngine(t)
	for name, did := range map[string]string{
		"template":             "ALTER DATABASE %s IS_TEMPLATE true",
		"connection limit":     "ALTER DATABASE %s CONNECTION LIMIT 0",
		"prepared transaction": "BEGIN; CREATE TABLE held (a int); PREPARE TRANSACTION 'it''s held in %[1]s'",
		"settings":             "ALTER DATABASE %s SET role = 'nobody'",
		"granted to all":       "GRANT ALL ON DATABASE %s TO PUBLIC",
	} {
		t.Run(name, func(t *testing.T) {
			target := newTarget()
			if err := e.Create(t.Context(), target, true); err != nil {
				t.Fatal(err)
			}
			open, err := connectRole(t, target, target.Database)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := open.PgConn().Exec(t.Context(), fmt.Sprintf(did, target.Database)).ReadAll(); err != nil && name != "settings" {
				t.Fatal(err)
			}
			if err := e.Drop(t.Context(), target); err != nil {
				t.Fatal(err)
			}
			if err := open.Ping(t.Context()); sqlState(err) != "57P01" && !open.IsClosed() {
				t.Errorf("session outlives its database: %v", err)
			}
			if exists, err := e.Exists(t.Context(), target.Database); err != nil || exists {
				t.Errorf("got exists %v, %v", exists, err)
			}
		})
	}
}

func TestWorkspaceSurvivesItsOwnersPasswordAndSettings(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	asRole(t, target, "CREATE TABLE users (id serial PRIMARY KEY)",
		"CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE sql AS $$ SELECT 'fooled' $$",
		"ALTER ROLE "+target.Role+" SET search_path = nowhere",
		"ALTER DATABASE "+target.Database+" SET statement_timeout = 1",
		"ALTER DATABASE "+target.Database+" SET default_transaction_read_only = on",
		"ALTER ROLE "+target.Role+" PASSWORD 'locked out'")
	definitions, err := e.Definitions(t.Context(), target)
	if err != nil || len(definitions) == 0 {
		t.Errorf("got %q, %v", definitions, err)
	}
	if err := e.Create(t.Context(), target, true); err != nil {
		t.Error(err)
	}
	if _, err := connectRole(t, target, target.Database); err != nil {
		t.Errorf("password was not put back: %v", err)
	}
}

func TestWorkspacesAreMadeAtOnce(t *testing.T) {
	e := newEngine(t)
	var wg sync.WaitGroup
	for range 6 {
		target := newTarget()
		wg.Go(func() {
			if err := e.Create(t.Context(), target, true); err != nil {
				t.Error(err)
			}
			if _, err := e.Query(t.Context(), target, "CREATE TABLE t (a int)", workspace.Limits{}); err != nil {
				t.Error(err)
			}
			if err := e.Drop(t.Context(), target); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestPrepareNamesWhatIsMissing(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	config := server.config()
	config.User, config.Password, config.Database = target.Role, target.Password, target.Database
	plain := New(config)
	defer plain.Close()
	if err := plain.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "must be a superuser") {
		t.Errorf("got %v", err)
	}
}

func TestPrepareWarnsOfOpenDatabases(t *testing.T) {
	e := newEngine(t)
	if err := execAdmin(t, e, "CREATE DATABASE wide_open"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := execAdmin(t, e, "DROP DATABASE wide_open"); err != nil {
			t.Error(err)
		}
	}()
	var log strings.Builder
	config := server.config()
	config.Log = slog.New(slog.NewTextHandler(&log, nil))
	loud := New(config)
	defer loud.Close()
	if err := loud.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "database=wide_open") || strings.Contains(log.String(), "database=postgres") {
		t.Errorf("got log %q", log.String())
	}
}

func TestServerThatIsAwayIsUnavailable(t *testing.T) {
	config := server.config()
	config.Address.Addr = filepath.Join(server.dir, "nobody-listens")
	e := New(config)
	defer e.Close()
	err := e.Ping(t.Context())
	if workspace.ErrorCode(err) != workspace.Unavailable {
		t.Errorf("got %v", err)
	}
	failure, _ := errors.AsType[*workspace.Error](err)
	if failure == nil || strings.Contains(failure.Message, server.dir) || failure.Unwrap() == nil {
		t.Errorf("got message %v; the address is for the log", err)
	}
}

func TestSecretsReachNoServerLog(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e)
	if _, err := e.Query(t.Context(), target, "SELECT 'a mark for the log'", workspace.Limits{}); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(server.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), "a mark for the log") {
		t.Error("the server's log is not where it is looked for")
	}
	for _, secret := range []string{target.Password, server.Password()} {
		if strings.Contains(string(log), secret) {
			t.Error("a password is in the server's log")
		}
	}
}

func execAdmin(t *testing.T, e *Engine, sql string) error {
	t.Helper()
	conn, release, err := e.admin(context.Background(), "postgres")
	if err != nil {
		return err
	}
	defer release()
	_, err = conn.Exec(context.Background(), sql)
	return err
}
