package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

const rightKey = "tenantsdb_sk_right"

// fakeService is a Service of functions. One that is not set is not expected
// to be called.
type fakeService struct {
	authenticate   func(key string) (workspace.Principal, error)
	ready          func(ctx context.Context) []workspace.Check
	list           func() ([]workspace.Workspace, error)
	create         func(name, database, mode string) (workspace.Details, error)
	get            func(id string) (workspace.Details, error)
	delete         func(id string) (workspace.Deleted, error)
	query          func(ctx context.Context, id, text string) (workspace.Result, error)
	schema         func(id string) ([]workspace.Table, error)
	importSchema   func(id string, r workspace.ImportRequest) (workspace.Imported, error)
	keys           func(id string) (workspace.Keys, error)
	pending        func(id string) (workspace.Queue, error)
	skip           func(id string, ddlID int64) error
	revert         func(ctx context.Context, id string, ddlID int64) (string, error)
	settings       func(id string) (workspace.Workspace, error)
	updateSettings func(id string, fields map[string]any) (workspace.Workspace, error)

	analyzeData  func(id string, r workspace.DataRequest) (workspace.DataAnalysis, error)
	importData   func(id string, r workspace.DataRequest) (workspace.BegunImport, error)
	importAll    func(id string, r workspace.DataRequest) (workspace.BegunImport, error)
	importStatus func(id, importID string) (workspace.DataImport, error)

	blueprints      func() ([]workspace.Blueprint, error)
	blueprint       func(name string) (workspace.Blueprint, error)
	versions        func(name string) ([]workspace.Version, error)
	listTenants     func() ([]workspace.TenantDetails, error)
	getTenant       func(name string) (workspace.TenantDetails, error)
	createTenant    func(r workspace.TenantRequest) (workspace.TenantDetails, error)
	changeTenant    func(change, name string) (workspace.TenantDetails, error) // suspend, resume or restore
	deleteTenant    func(name string, hard bool) error
	queryTenants    func(q workspace.TenantQuery) ([]workspace.TenantResult, error)
	deploy          func(r workspace.DeploymentRequest) (workspace.Deployment, error)
	planDeployment  func(r workspace.DeploymentRequest) (workspace.DeploymentPlan, error)
	listDeployments func(before string, limit int) ([]workspace.DeploymentSummary, bool, error)
	getDeployment   func(id string) (workspace.Deployment, error)

	listProjects  func() ([]workspace.ProjectSummary, error)
	createProject func(name string) (workspace.CreatedProject, error)
	deleteProject func(id string) error
	listKeys      func() ([]workspace.APIKey, error)
	createKey     func(r workspace.KeyRequest) (workspace.CreatedKey, error)
	revokeKey     func(id string) error
}

// The real service is one, too.
var _ Service = (*workspace.Service)(nil)

func (f *fakeService) Authenticate(_ context.Context, key string) (workspace.Principal, error) {
	if f.authenticate != nil {
		return f.authenticate(key)
	}
	if key != rightKey {
		return workspace.Principal{}, workspace.Errorf(workspace.Unauthorized, "the API key is unknown or revoked")
	}
	return workspace.Principal{KeyID: "key_1", ProjectID: "tdb_2abf90d3", Role: "admin"}, nil
}

func (f *fakeService) Ready(ctx context.Context) []workspace.Check { return f.ready(ctx) }

func (f *fakeService) List(context.Context, workspace.Principal) ([]workspace.Workspace, error) {
	return f.list()
}

func (f *fakeService) Create(_ context.Context, _ workspace.Principal, name, database, mode string) (workspace.Details, error) {
	return f.create(name, database, mode)
}

func (f *fakeService) Get(_ context.Context, _ workspace.Principal, id string) (workspace.Details, error) {
	return f.get(id)
}

func (f *fakeService) Delete(_ context.Context, _ workspace.Principal, id string) (workspace.Deleted, error) {
	return f.delete(id)
}

func (f *fakeService) Query(ctx context.Context, _ workspace.Principal, id, text string) (workspace.Result, error) {
	return f.query(ctx, id, text)
}

func (f *fakeService) Schema(_ context.Context, _ workspace.Principal, id string) ([]workspace.Table, error) {
	return f.schema(id)
}

func (f *fakeService) ImportSchema(_ context.Context, _ workspace.Principal, id string, r workspace.ImportRequest) (workspace.Imported, error) {
	return f.importSchema(id, r)
}

func (f *fakeService) AnalyzeData(_ context.Context, _ workspace.Principal, id string, r workspace.DataRequest) (workspace.DataAnalysis, error) {
	return f.analyzeData(id, r)
}

func (f *fakeService) ImportData(_ context.Context, _ workspace.Principal, id string, r workspace.DataRequest) (workspace.BegunImport, error) {
	return f.importData(id, r)
}

func (f *fakeService) ImportAll(_ context.Context, _ workspace.Principal, id string, r workspace.DataRequest) (workspace.BegunImport, error) {
	return f.importAll(id, r)
}

func (f *fakeService) DataImportStatus(_ context.Context, _ workspace.Principal, id, importID string) (workspace.DataImport, error) {
	return f.importStatus(id, importID)
}

func (f *fakeService) Keys(_ context.Context, _ workspace.Principal, id string) (workspace.Keys, error) {
	return f.keys(id)
}

func (f *fakeService) Pending(_ context.Context, _ workspace.Principal, id string) (workspace.Queue, error) {
	return f.pending(id)
}

func (f *fakeService) Skip(_ context.Context, _ workspace.Principal, id string, ddlID int64) error {
	return f.skip(id, ddlID)
}

func (f *fakeService) Revert(ctx context.Context, _ workspace.Principal, id string, ddlID int64) (string, error) {
	return f.revert(ctx, id, ddlID)
}

func (f *fakeService) Settings(_ context.Context, _ workspace.Principal, id string) (workspace.Workspace, error) {
	return f.settings(id)
}

func (f *fakeService) UpdateSettings(_ context.Context, _ workspace.Principal, id string, fields map[string]any) (workspace.Workspace, error) {
	return f.updateSettings(id, fields)
}

func (f *fakeService) ListProjects(context.Context, workspace.Principal) ([]workspace.ProjectSummary, error) {
	return f.listProjects()
}

func (f *fakeService) CreateProject(_ context.Context, _ workspace.Principal, name string) (workspace.CreatedProject, error) {
	return f.createProject(name)
}

func (f *fakeService) DeleteProject(_ context.Context, _ workspace.Principal, id string) error {
	return f.deleteProject(id)
}

func (f *fakeService) ListKeys(context.Context, workspace.Principal) ([]workspace.APIKey, error) {
	return f.listKeys()
}

func (f *fakeService) CreateKey(_ context.Context, _ workspace.Principal, r workspace.KeyRequest) (workspace.CreatedKey, error) {
	return f.createKey(r)
}

func (f *fakeService) RevokeKey(_ context.Context, _ workspace.Principal, id string) error {
	return f.revokeKey(id)
}

// fixture is an API over a fake, with what it wrote.
type fixture struct {
	service  *fakeService
	api      *api
	registry *prometheus.Registry
	log      *records
	audit    *records
	clock    *clock
	document *document
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		service:  &fakeService{},
		registry: prometheus.NewRegistry(),
		log:      &records{},
		audit:    &records{},
		clock:    &clock{now: time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)},
		document: readDocument(t),
	}
	f.api = New(Config{
		Service:    f.service,
		Version:    "v1.2.3",
		Log:        slog.New(slog.NewJSONHandler(f.log, nil)),
		Audit:      slog.New(slog.NewJSONHandler(f.audit, nil)),
		Registerer: f.registry,
		Now:        f.clock.read,
	}).(*api)
	return f
}

// response is an answer that agreed with the API's document.
type response struct {
	*httptest.ResponseRecorder
	t    *testing.T
	body map[string]any
}

// call sends a request with the right key. body "" means none.
func (f *fixture) call(t *testing.T, method, path, body string) response {
	t.Helper()
	return f.send(t, request(method, path, body))
}

func request(method, path, body string) *http.Request {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, path, reader)
	r.Header.Set("Authorization", "Bearer "+rightKey)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// send serves r and holds the answer to the document.
func (f *fixture) send(t *testing.T, r *http.Request) response {
	t.Helper()
	var sent []byte
	if r.Body != nil {
		sent, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	w := httptest.NewRecorder()
	f.api.ServeHTTP(w, r)

	got := response{ResponseRecorder: w, t: t}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(w.Body.Bytes(), &got.body); err != nil {
			t.Fatalf("%s %s: answer is not a JSON object: %v\n%s", r.Method, r.URL.Path, err, w.Body)
		}
	}
	f.document.check(t, f.templateOf(r), r, sent, w)
	return got
}

// templateOf is the path of the route that r goes to; empty for none.
func (f *fixture) templateOf(r *http.Request) string {
	x := &exchange{r: r}
	f.api.match(x)
	return x.route.path
}

// want fails unless the answer has this status and this code.
func (r response) want(status int, code string) response {
	r.t.Helper()
	if r.Code != status || r.body["code"] != code {
		r.t.Fatalf("got %d %v, want %d %s\n%s", r.Code, r.body["code"], status, code, r.Body)
	}
	return r
}

// says fails unless the answer's error has this text in it.
func (r response) says(text string) response {
	r.t.Helper()
	if got, _ := r.body["error"].(string); !strings.Contains(got, text) {
		r.t.Fatalf("got error %q, want one with %q", got, text)
	}
	return r
}

// is fails unless the answer is this JSON, in every key.
func (r response) is(want string) {
	r.t.Helper()
	if got := r.Body.String(); canonical(r.t, got) != canonical(r.t, want) {
		r.t.Fatalf("got  %s\nwant %s", canonical(r.t, got), canonical(r.t, want))
	}
}

func canonical(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, text)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// clock is a time that only tests move.
type clock struct{ now time.Time }

func (c *clock) read() time.Time          { return c.now }
func (c *clock) advance(by time.Duration) { c.now = c.now.Add(by) }

// records is a log that can be read while it is written.
type records struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *records) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// all is the records so far.
func (r *records) all(t *testing.T) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(r.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("log line is not JSON: %v\n%s", err, line)
		}
		all = append(all, record)
	}
	return all
}
