package workspace_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/schema"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// fakeImporter is a server that runs imports: what holds "fails" is refused, and
// what holds "there" exists already.
type fakeImporter struct {
	*fakeServer
	ran []schema.Step
}

func (f *fakeImporter) Import(_ context.Context, t workspace.Target, steps []schema.Step, _ workspace.Limits) (outcomes []workspace.Outcome, err error) {
	err = f.faults.around("import", func() error {
		f.ran = append(f.ran, steps...)
		outcomes = make([]workspace.Outcome, len(steps))
		var changes []workspace.Change
		for i, step := range steps {
			switch {
			case strings.Contains(step.Statement, "fails"):
				outcomes[i].Err = workspace.Errorf(workspace.BadRequest, "refused by the server")
			case strings.Contains(step.Statement, "breaks"):
				outcomes[i].Err = errors.New("planted detail of the server")
			case strings.Contains(step.Statement, "there"):
				outcomes[i].Err = fmt.Errorf("%w: by the server", workspace.ErrExists)
			default:
				outcomes[i].Warning = "made " + step.Object
				changes = append(changes, change(step.Statement+" "+step.Object))
			}
		}
		f.commit(t.Database, changes...)
		return nil
	})
	return outcomes, err
}

// fakeSource is a live database with one table, or the error of its login.
type fakeSource struct {
	err    error
	logins []workspace.SourceLogin
}

func (f *fakeSource) Statements(_ context.Context, l workspace.SourceLogin) ([]schema.Step, error) {
	f.logins = append(f.logins, l)
	return []schema.Step{{Statement: "CREATE TABLE exact", Object: "exact", Table: "exact", Makes: true}, {Statement: "COMMENT ON TABLE exact"}}, f.err
}

func (f *fakeSource) Schema(_ context.Context, l workspace.SourceLogin) (schema.Schema, []string, error) {
	f.logins = append(f.logins, l)
	return schema.Schema{Tables: []schema.Table{{Name: "neutral", Columns: []schema.Column{{Name: "a", Type: schema.Type{Name: "int"}}}}}}, []string{"one left out"}, f.err
}

// fakeDocuments is a web of one document.
type fakeDocuments string

func (f fakeDocuments) Download(_ context.Context, url string) ([]byte, error) {
	if url != "https://example.com/schema.json" {
		return nil, errors.New("its host is not known")
	}
	return []byte(f), nil
}

// importing starts a process with the workspaces shop (PostgreSQL) and keys
// (Redis).
func importing(t *testing.T) (*installation, *workspace.Service, workspace.Principal, *fakeImporter, *fakeSource) {
	t.Helper()
	i := install(t)
	importer := &fakeImporter{fakeServer: i.server}
	redis := &fakeRedis{fakeServer: newFakeServer(workspace.Redis, i.faults), count: 5}
	i.engines = map[string]workspace.Engine{"main": importer, "redis": redis}
	source := &fakeSource{}
	c := i.config()
	c.Sources = map[workspace.DatabaseType]workspace.SchemaSource{workspace.PostgreSQL: source, workspace.MySQL: source, workspace.MongoDB: source}
	c.Documents = fakeDocuments(`{"tables": [{"name": "fetched", "columns": [{"name": "a", "type": "int"}]}]}`)
	s, err := workspace.NewService(t.Context(), c)
	must(t, err)
	t.Cleanup(s.Close)
	p := i.admin(s)
	for name, database := range map[string]string{"shop": "PostgreSQL", "keys": "Redis"} {
		_, err := s.Create(t.Context(), p, name, database, "tenant")
		must(t, err)
	}
	return i, s, p, importer, source
}

func tables(names ...string) json.RawMessage {
	var all []string
	for _, name := range names {
		all = append(all, `{"name": "`+name+`", "columns": [{"name": "a", "type": "int"}], "indexes": [{"columns": ["a"]}]}`)
	}
	return json.RawMessage("[" + strings.Join(all, ",") + "]")
}

func TestImportIsOneVersionRecordedBeforeItAnswers(t *testing.T) {
	i, s, p, importer, _ := importing(t)
	// The fake has the table "users" before.
	done, err := s.ImportSchema(t.Context(), p, "shop", workspace.ImportRequest{Source: "json", Tables: tables("a", "users", "fails", "b", "there")})
	must(t, err)
	equal(t, "created", done.Created, []string{"a", "b"})
	equal(t, "skipped", done.Skipped, []string{"users", "there"})
	equal(t, "counts", []int{done.Executed, done.Left, len(done.Failed)}, []int{4, 4, 2})
	equal(t, "failed", []string{done.Failed[0].Object, done.Failed[0].Err.Error()}, []string{"fails", "refused by the server"})
	equal(t, "warnings", done.Warnings[0], "made a")
	if slices.ContainsFunc(importer.ran, func(step schema.Step) bool { return step.Table == "users" }) {
		t.Error("a statement of a table that is there was run")
	}
	if done.Workspace.Version != 1 || done.Workspace.Name != "shop" {
		t.Errorf("got version %d of %q", done.Workspace.Version, done.Workspace.Name)
	}
	n, err := i.catalog.PendingCount(t.Context(), done.Workspace.ID)
	must(t, err)
	equal(t, "pending", n, int64(4))
}

func TestFailuresThatAreNotTheStatementsTellNoDetail(t *testing.T) {
	_, s, p, _, _ := importing(t)
	done, err := s.ImportSchema(t.Context(), p, "shop", workspace.ImportRequest{Source: "json", Tables: tables("breaks")})
	must(t, err)
	equal(t, "failures", len(done.Failed), 2)
	equal(t, "told", done.Failed[0].Err.Error(), "the statement could not be run")
}

func TestImportThatTookEffectAndIsNotRecordedYetIsSaid(t *testing.T) {
	i, s, p, _, _ := importing(t)
	i.faults.set("append", errors.New("disk full"))
	_, err := s.ImportSchema(t.Context(), p, "shop", workspace.ImportRequest{Source: "json", Tables: tables("a")})
	refused(t, err, workspace.Unavailable, "took effect", "will be recorded later")
	i.faults.set("append", nil)
	if got := statements(t, s, p); len(got) != 2 {
		t.Errorf("the queue has %v later", got)
	}
}

func TestImportTakesAConnectionOfTheWorkspace(t *testing.T) {
	_, s, p, _, _ := importing(t)
	_, err := s.UpdateSettings(t.Context(), p, "shop", map[string]any{"max_connections": json.Number("1")})
	must(t, err)
	login, err := s.Login(t.Context(), workspace.PostgreSQL, p.ProjectID, "shop_workspace")
	must(t, err)
	if !login.Route.Live.Enter() {
		t.Fatal("no connection is free")
	}
	_, err = s.ImportSchema(t.Context(), p, "shop", workspace.ImportRequest{Source: "template", Template: "blog"})
	refused(t, err, workspace.RateLimited, "max_connections")
}

func TestImportOfPatternsLeavesThoseThatAreThere(t *testing.T) {
	_, s, p, _, _ := importing(t)
	_, err := s.UpdateSettings(t.Context(), p, "keys", map[string]any{"patterns": map[string]any{"session:*": map[string]any{"ttl": json.Number("7")}}})
	must(t, err)
	done, err := s.ImportSchema(t.Context(), p, "keys", workspace.ImportRequest{Source: "template", Template: "blog"})
	must(t, err)
	equal(t, "skipped", done.Skipped, []string{"session:*"})
	equal(t, "counts", []int{done.Executed, done.Left}, []int{3, 1})
	w, err := s.Settings(t.Context(), p, "keys")
	must(t, err)
	equal(t, "patterns", w.Settings.Patterns, map[string]workspace.Pattern{"session:*": {TTL: 7}, "page:*": {TTL: 600}, "post:*": {TTL: 3600}, "views:*": {TTL: 86400}})
}

func TestImportFromALiveDatabase(t *testing.T) {
	_, s, p, importer, source := importing(t)
	login := workspace.SourceLogin{Type: "Postgres", Host: "db.example.com", Database: "mydb"}
	done, err := s.ImportSchema(t.Context(), p, "shop", workspace.ImportRequest{Source: "database", Connection: &login})
	must(t, err)
	equal(t, "created", done.Created, []string{"exact"})
	equal(t, "port", source.logins[0].Port, int64(5432))
	importer.ran = nil
	login = workspace.SourceLogin{Type: "mysql", Host: "::1", Port: 3307, Database: "mydb"}
	done, err = s.ImportSchema(t.Context(), p, "shop", workspace.ImportRequest{Source: "database", Connection: &login})
	must(t, err)
	equal(t, "statement", importer.ran[0].Statement, "CREATE TABLE \"neutral\" (\n  \"a\" INTEGER NOT NULL\n)")
	equal(t, "warnings", done.Warnings, []string{"one left out", "made neutral"})
	equal(t, "address", source.logins[1].Address(), "[::1]:3307")
	source.err = login.Refused("password authentication failed", nil)
	_, err = s.ImportSchema(t.Context(), p, "shop", workspace.ImportRequest{Source: "database", Connection: &login})
	refused(t, err, workspace.BadRequest, "[::1]:3307", "password authentication failed")
}

func TestImportFromAURL(t *testing.T) {
	_, s, p, _, _ := importing(t)
	done, err := s.ImportSchema(t.Context(), p, "shop", workspace.ImportRequest{Source: "url", URL: "https://example.com/schema.json"})
	must(t, err)
	equal(t, "created", done.Created, []string{"fetched"})
}

func TestImportsThatCanNotBeCarriedOutNameTheField(t *testing.T) {
	_, s, p, importer, _ := importing(t)
	connection := func(change func(l *workspace.SourceLogin)) workspace.ImportRequest {
		l := workspace.SourceLogin{Type: "postgresql", Host: "db.example.com", Database: "mydb", Password: "planted"}
		change(&l)
		return workspace.ImportRequest{Source: "database", Connection: &l}
	}
	for _, test := range []struct {
		workspace string
		request   workspace.ImportRequest
		field     string
		says      string
	}{
		{"shop", workspace.ImportRequest{Source: "file"}, "source", `unknown source "file": choose json, database, template, url`},
		{"shop", workspace.ImportRequest{Source: "template"}, "template", `missing field "template": choose ecommerce, saas, blog, fintech`},
		{"shop", workspace.ImportRequest{Source: "template", Template: "crm"}, "template", `unknown template "crm": choose ecommerce, saas, blog, fintech`},
		{"shop", workspace.ImportRequest{Source: "json"}, "tables", `missing field "tables"`},
		{"keys", workspace.ImportRequest{Source: "json"}, "patterns", `missing field "patterns"`},
		{"shop", workspace.ImportRequest{Source: "json", Collections: json.RawMessage("[]")}, "collections", `a PostgreSQL workspace takes "tables"`},
		{"keys", workspace.ImportRequest{Source: "json", Tables: tables("a")}, "tables", `a Redis workspace takes "patterns"`},
		{"shop", workspace.ImportRequest{Source: "json", Tables: json.RawMessage(`[{"name": 1}]`)}, "tables[0].name", "must be a string"},
		{"shop", workspace.ImportRequest{Source: "json", Tables: tables("a"), URL: "https://a"}, "url", `does not go with the source "json"`},
		{"shop", workspace.ImportRequest{Source: "url"}, "url", `missing field "url"`},
		{"shop", workspace.ImportRequest{Source: "url", URL: "https://planted.example.com"}, "url", "the schema can't be fetched: its host is not known"},
		{"keys", workspace.ImportRequest{Source: "url", URL: "https://example.com/schema.json"}, "patterns", "the document at the url: a Redis workspace takes"},
		{"keys", workspace.ImportRequest{Source: "json", Patterns: json.RawMessage(`{"": {"ttl": 1}}`)}, "patterns", "must have 1 to 256 bytes"},
		{"keys", workspace.ImportRequest{Source: "json", Patterns: json.RawMessage(`{"a": {"ttl": 999999999}}`)}, "patterns", "can't be more than"},
		{"shop", workspace.ImportRequest{Source: "database"}, "connection", `missing field "connection"`},
		{"shop", connection(func(l *workspace.SourceLogin) { l.Type = "" }), "connection.type", "choose PostgreSQL, MySQL or MongoDB"},
		{"shop", connection(func(l *workspace.SourceLogin) { l.Type = "redis" }), "connection.type", "choose PostgreSQL, MySQL or MongoDB"},
		{"shop", connection(func(l *workspace.SourceLogin) { l.Host = "" }), "connection.host", "missing field"},
		{"shop", connection(func(l *workspace.SourceLogin) { l.Host = "/run/postgresql" }), "connection.host", "a name or an IP address"},
		{"shop", connection(func(l *workspace.SourceLogin) { l.Database = "" }), "connection.database", "missing field"},
		{"shop", connection(func(l *workspace.SourceLogin) { l.Port = 70000 }), "connection.port", "from 1 to 65535"},
		{"shop", connection(func(l *workspace.SourceLogin) { l.TLS = "yes" }), "connection.tls", "choose prefer, verify, unverified or off"},
		{"keys", connection(func(*workspace.SourceLogin) {}), "source", "choose json, template or url"},
	} {
		_, err := s.ImportSchema(t.Context(), p, test.workspace, test.request)
		e := refused(t, err, workspace.BadRequest, test.says)
		equal(t, "field", e.Details["field"], any(test.field))
		if strings.Contains(workspace.Causes(err), "planted") {
			t.Errorf("the error has the secret: %v", err)
		}
	}
	if len(importer.ran) > 0 {
		t.Errorf("statements were run: %v", importer.ran)
	}
	_, err := s.ImportSchema(t.Context(), p, "nowhere", workspace.ImportRequest{Source: "template", Template: "blog"})
	refused(t, err, workspace.NotFound, "nowhere")
}
