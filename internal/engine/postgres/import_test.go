package postgres

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"github.com/tenantsdb/tenantsdb/internal/schema"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// imported runs statements as an import and gives what became of each.
func imported(t *testing.T, e *Engine, target workspace.Target, limits workspace.Limits, steps ...schema.Step) []workspace.Outcome {
	t.Helper()
	outcomes, err := e.Import(t.Context(), target, steps, limits)
	if err != nil {
		t.Fatal(err)
	}
	if len(outcomes) != len(steps) {
		t.Fatalf("%d outcomes of %d steps", len(outcomes), len(steps))
	}
	return outcomes
}

func stepsOf(statements ...string) []schema.Step {
	var steps []schema.Step
	for _, s := range statements {
		steps = append(steps, schema.Step{Statement: s})
	}
	return steps
}

func TestImportIsOneTransactionWhoseFailuresLeaveTheRest(t *testing.T) {
	e := newEngine(t)
	target := newTracked(t, e)
	outcomes := imported(t, e, target, workspace.Limits{Workspace: "shop", TimeoutMS: 5000}, stepsOf(
		"CREATE TABLE a (id int PRIMARY KEY)",
		"CREATE TABLE b (a int REFERENCES nowhere)",
		"CREATE TABLE a (id int)",
		"CREATE TABLE c (id int); CREATE TABLE d (id int)",
		"CREATE TABLE slow AS SELECT pg_sleep(60)::text",
		"CREATE ROLE other",
		"CREATE INDEX a_id ON a (id)",
		"CREATE TABLE e (a int REFERENCES a)",
	)...)
	for i, want := range []string{"", `relation "nowhere" does not exist`, "exists", "cannot insert multiple commands", "5000 ms (query_timeout_ms)", "permission denied", "", ""} {
		err := outcomes[i].Err
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("step %d: got %v, want %q", i, err, want)
		}
		if errors.Is(err, workspace.ErrExists) != (i == 2) {
			t.Errorf("step %d: exists before: %v", i, err)
		}
	}
	list := taken(t, e, target)
	var got []string
	for _, c := range list {
		got = append(got, c.Statement)
		if c.Source != "import" || c.Unit != list[0].Unit || c.Unit == "" {
			t.Errorf("%s: source %q, unit %q", c.Statement, c.Source, c.Unit)
		}
	}
	want := []string{"CREATE TABLE a (id int PRIMARY KEY)", "CREATE INDEX a_id ON a (id)", "CREATE TABLE e (a int REFERENCES a)"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	wantReplay(t, e, target, list)
}

// sourceSchema has what only PostgreSQL has, and what others have too.
const sourceSchema = `
	CREATE TYPE mood AS ENUM ('sad', 'happy');
	CREATE SCHEMA billing;
	CREATE FUNCTION twice(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i * 2';
	CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL UNIQUE, mood mood DEFAULT 'happy', tags text[], born date,
		made timestamptz NOT NULL DEFAULT now(), age int CHECK (age >= 0), kind text NOT NULL CHECK (kind IN ('a', 'b')), CHECK (length(email) > 3));
	CREATE TABLE billing.invoices (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "user" bigint NOT NULL REFERENCES users ON DELETE CASCADE,
		total numeric(10,2) NOT NULL DEFAULT 0, twice int GENERATED ALWAYS AS (1 + 1) STORED, near point);
	CREATE INDEX ON billing.invoices ("user", total);
	CREATE UNIQUE INDEX partly ON users (born) WHERE born IS NOT NULL;
	CREATE VIEW adults AS SELECT * FROM users WHERE age > 17;
	COMMENT ON TABLE users IS 'who; is it''s';
	CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.made := now(); RETURN NEW; END';
	CREATE TRIGGER touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touched();
	ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON users USING (id > 0);`

func loginTo(t *testing.T, target workspace.Target) workspace.SourceLogin {
	t.Helper()
	port := devstacktest.TCP(t, server.Socket())
	return workspace.SourceLogin{Type: "postgresql", Host: "127.0.0.1", Port: int64(port), Database: target.Database, User: target.Role, Password: target.Password}
}

func TestSourceOfTheSameTypeIsTakenExactly(t *testing.T) {
	e := newEngine(t)
	from, to := newWorkspace(t, e), newTracked(t, e)
	asRole(t, from, sourceSchema)
	steps, err := Source{}.Statements(t.Context(), loginTo(t, from))
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, step := range steps {
		if step.Makes {
			made = append(made, step.Object)
		}
		if strings.Contains(step.Statement, "TRIGGER touch") && step.Table != "users" {
			t.Errorf("%s is of the table %q", step.Statement, step.Table)
		}
	}
	if want := []string{"billing.invoices", "users"}; !slices.Equal(made, want) && !slices.Equal(made, []string{"users", "billing.invoices"}) {
		t.Errorf("got tables %q, want %q", made, want)
	}
	for i, o := range imported(t, e, to, workspace.Limits{}, steps...) {
		if o.Err != nil {
			t.Errorf("%s: %v", steps[i].Statement, o.Err)
		}
	}
	if got, want := dump(t, to), dump(t, from); got != want {
		t.Errorf("got the schema\n%s\nwant\n%s", got, want)
	}
	wantReplay(t, e, to, taken(t, e, to))
}

func TestSourceForOtherTypes(t *testing.T) {
	e := newEngine(t)
	from := newWorkspace(t, e)
	asRole(t, from, sourceSchema)
	found, warnings, err := Source{}.Schema(t.Context(), loginTo(t, from))
	if err != nil {
		t.Fatal(err)
	}
	carried, more := found.CarriedOver(schema.PostgreSQL)
	steps, _, err := carried.Render(schema.MySQL)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, step := range steps {
		got = append(got, strings.Join(strings.Fields(step.Statement), " "))
	}
	want := []string{
		"CREATE TABLE `users` ( `id` BIGINT NOT NULL AUTO_INCREMENT, `email` VARCHAR(255) NOT NULL, `mood` ENUM('sad', 'happy') DEFAULT 'happy', `tags` JSON, `born` DATE, " +
			"`made` DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), `age` INT, `kind` LONGTEXT NOT NULL, PRIMARY KEY (`id`), UNIQUE (`email`), CHECK (`age` >= 0), CHECK (`kind` IN ('a', 'b')) )",
		"CREATE TABLE `billing_invoices` ( `id` INT NOT NULL AUTO_INCREMENT, `user` BIGINT NOT NULL, `total` DECIMAL(10,2) NOT NULL DEFAULT 0, `twice` INT, `near` LONGTEXT, " +
			"PRIMARY KEY (`id`), FOREIGN KEY (`user`) REFERENCES `users` (`id`) ON DELETE CASCADE )",
		"CREATE INDEX `billing_invoices_user_total_idx` ON `billing_invoices` (`user`, `total`)",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	all := strings.Join(append(warnings, more...), "\n")
	for _, want := range []string{"users: the index partly is left out", "twice is a plain column", "near is text: point is", "users: the check (length((email)::text) > 3) is left out"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning says %q:\n%s", want, all)
		}
	}
}

func TestSourceThatCanNotBeReadIsABadRequestWithoutASecret(t *testing.T) {
	e := newEngine(t)
	from := newWorkspace(t, e)
	for says, change := range map[string]func(l *workspace.SourceLogin){
		"password authentication failed": func(l *workspace.SourceLogin) { l.Password = "planted-secret-wrong" },
		`database "nowhere" does not exist`: func(l *workspace.SourceLogin) {
			l.Database = "nowhere"
			l.User, l.Password = server.User(), server.Password()
		},
		"connection refused":       func(l *workspace.SourceLogin) { l.Port = 1 },
		"not with this encryption": func(l *workspace.SourceLogin) { l.TLS = "verify" },
	} {
		login := loginTo(t, from)
		change(&login)
		for _, read := range []func() error{
			func() error { _, err := Source{}.Statements(t.Context(), login); return err },
			func() error { _, _, err := Source{}.Schema(t.Context(), login); return err },
		} {
			err := read()
			if workspace.ErrorCode(err) != workspace.BadRequest || !strings.Contains(err.Error(), says) {
				t.Errorf("got %v, want %q", err, says)
			}
			if err != nil && strings.Contains(workspace.Causes(err), "planted-secret") {
				t.Errorf("the error has the password: %v", workspace.Causes(err))
			}
		}
	}
}
