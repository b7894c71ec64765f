package mongodb

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/devstack/devstacktest"
	"github.com/tenantsdb/tenantsdb/internal/schema"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

func imported(t *testing.T, e *Engine, target workspace.Target, steps ...schema.Step) []workspace.Outcome {
	t.Helper()
	outcomes, err := e.Import(t.Context(), target, steps, workspace.Limits{Workspace: "shop", TimeoutMS: 30000})
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
		steps = append(steps, schema.Step{Statement: s, Object: s[2:8]})
	}
	return steps
}

func wantOneImport(t *testing.T, list []workspace.Change) {
	t.Helper()
	for _, c := range list {
		if c.Source != "import" || c.Unit != list[0].Unit || !strings.HasPrefix(c.Unit, "import:") {
			t.Errorf("%s: source %q, unit %q", c.Statement, c.Source, c.Unit)
		}
	}
}

func TestImportIsOneUnitWhoseFailuresLeaveTheRest(t *testing.T) {
	e := newEngine(t)
	target := newWorkspace(t, e, true)
	outcomes := imported(t, e, target, stepsOf(
		`{"create": "a"}`,
		`{"create": "a"}`,
		`{"create": "b", "validator": {"x": 1}, "validationLevel": "strict"}`,
		`{"createIndexes": "b", "indexes": [{"key": {"at": 1}, "name": "at_1", "expireAfterSeconds": 5}]}`,
		`{"createIndexes": "a", "indexes": [{"key": {"t": "text"}, "name": "t_text"}]}`,
		`{"createIndexes": "a", "indexes": [{"key": {"u": 1}, "name": "u_1", "unique": true, "sparse": true}]}`,
		`{"dropUser": "u"}`,
		`{"createUser": "u", "pwd": "p", "roles": []}`,
		`{"create": "system.users"}`,
		`no document`,
		`{"create": "c"}`,
	)...)
	for i, want := range []string{"", "exists", "", "", "index", "", "not available", "not available", "system.", "read command document", ""} {
		err := outcomes[i].Err
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("step %d: got %v, want %q", i, err, want)
		}
		if errors.Is(err, workspace.ErrExists) != (i == 1) {
			t.Errorf("step %d: exists before: %v", i, err)
		}
	}
	for i, want := range map[int]string{2: "made without validator, validationLevel, which this server does not have", 3: "made without expireAfterSeconds", 5: ""} {
		if got := outcomes[i].Warning; !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("step %d: got the warning %q, want %q", i, got, want)
		}
	}
	list := taken(t, e, target)
	wantTold(t, target, list, `{"create":"a"}`, `{"create":"b"}`,
		`{"createIndexes":"b","indexes":[{"key":{"at":1},"name":"at_1"}]}`,
		`{"createIndexes":"a","indexes":[{"key":{"u":1},"name":"u_1","unique":true}]}`, `{"create":"c"}`)
	wantOneImport(t, list)
	wantReplay(t, e, target, list)
}

// TestTemplatesOnAServerWithValidators has what FerretDB leaves out.
func TestTemplatesOnAServerWithValidators(t *testing.T) {
	e, _ := modelEngine(t)
	for _, name := range schema.Templates() {
		target := newWorkspace(t, e, true)
		s, _, err := schema.Template(name)
		if err != nil {
			t.Fatal(err)
		}
		steps, _, err := s.Render(schema.MongoDB)
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range imported(t, e, target, steps...) {
			if o.Err != nil || o.Warning != "" {
				t.Errorf("%s: %v %s", steps[i].Statement, o.Err, o.Warning)
			}
		}
		list := taken(t, e, target)
		if len(list) != len(steps) {
			t.Errorf("%s: %d changes of %d statements", name, len(list), len(steps))
		}
		wantOneImport(t, list)
		wantReplay(t, e, target, list)
		tables, err := e.Tables(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			if !strings.Contains(string(table.Validator), "$jsonSchema") {
				t.Errorf("%s: %s has the validator %s", name, table.Name, table.Validator)
			}
		}
	}
}

func loginTo(t *testing.T, socket string, target workspace.Target) workspace.SourceLogin {
	t.Helper()
	return workspace.SourceLogin{Type: "mongodb", Host: "127.0.0.1", Port: int64(devstacktest.TCP(t, socket)), Database: target.Database}
}

func TestSourceOfTheSameTypeIsTakenExactly(t *testing.T) {
	e := newEngine(t)
	from, to := newWorkspace(t, e, false), newWorkspace(t, e, true)
	query(t, e, from, `db.users.insertOne({a: 1}); db.users.createIndex({a: 1, b: -1}, {unique: true}); db.createCollection("empty")`)
	steps, err := Source{}.Statements(t.Context(), loginTo(t, server.Socket(), from))
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range imported(t, e, to, steps...) {
		if o.Err != nil {
			t.Errorf("%s: %v", steps[i].Statement, o.Err)
		}
	}
	if got, want := schemaOf(t, e, to), schemaOf(t, e, from); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	list := taken(t, e, to)
	wantOneImport(t, list)
	wantReplay(t, e, to, list)
}

func TestSourceForOtherTypesByALoginOfTheServers(t *testing.T) {
	s := newUserServer(t)
	e := engineAt(t, "mongodb://root:"+rootSecret+"@"+url.PathEscape(s.socket)+"/?directConnection=true")
	from := newWorkspace(t, e, false)
	for _, o := range imported(t, e, from, stepsOf(
		`{"create": "users", "validator": {"$jsonSchema": {"required": ["email"], "properties": {"email": {"bsonType": "string", "maxLength": 99}, "age": {"bsonType": "int"}}}}}`,
		`{"createIndexes": "users", "indexes": [{"key": {"email": 1}, "name": "e", "unique": true}]}`,
		`{"create": "seen", "viewOn": "users", "pipeline": []}`,
	)...) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	login := loginTo(t, s.socket, from)
	login.User, login.Password = from.Role, from.Password
	found, warnings, err := Source{}.Schema(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	steps, _, err := found.Render(schema.MySQL)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, step := range steps {
		got = append(got, strings.Join(strings.Fields(step.Statement), " "))
	}
	want := []string{
		"CREATE TABLE `users` ( `_id` CHAR(24) NOT NULL, `email` VARCHAR(99) NOT NULL, `age` INT, PRIMARY KEY (`_id`) )",
		"CREATE UNIQUE INDEX `users_email_key` ON `users` (`email`)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !slices.Equal(warnings, []string{"seen: left out: it is a view"}) {
		t.Errorf("got the warnings %q", warnings)
	}

	login.Password = "planted-secret-wrong"
	_, err = Source{}.Statements(t.Context(), login)
	if workspace.ErrorCode(err) != workspace.BadRequest || strings.Contains(workspace.Causes(err), "planted-secret") {
		t.Errorf("a wrong password: got %v", err)
	}
	login.Port = 1
	if _, err = (Source{}).Statements(t.Context(), login); workspace.ErrorCode(err) != workspace.BadRequest || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("no server: got %v", err)
	}
}
