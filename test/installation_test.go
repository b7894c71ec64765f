package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the tenantsdb binary under test, built once by TestMain.
var program string

// shared is the installation of the tests that need none of their own.
var shared *installation

func TestMain(m *testing.M) {
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tenantsdb-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// The database servers run as users of their own and must reach their data.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	program = filepath.Join(dir, "tenantsdb")
	build := exec.Command("go", append(buildFlags(), "-o", program, "../cmd/tenantsdb")...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build tenantsdb: %v\n%s", err, out)
		return 1
	}
	// The program looks for its MongoDB server beside itself.
	build = exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", filepath.Join(dir, "tenantsdb-ferretdb"), ".")
	build.Dir = filepath.Join("..", "internal", "devstack", "ferretdb")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build tenantsdb-ferretdb: %v\n%s", err, out)
		return 1
	}
	shared = &installation{dir: filepath.Join(dir, "shared")}
	if err := shared.start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer shared.stop()
	return m.Run()
}

// installation is one `tenantsdb dev` on a data folder of its own.
type installation struct {
	dir   string
	only  string // the types of database to run; empty: all
	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd was waited for
	log   syncBuffer
	ready
}

// ready is ready.json as the contract has it.
type ready struct {
	AdminURL      string `json:"admin_url"`
	APIKey        string `json:"api_key"`
	ProjectID     string `json:"project_id"`
	ProxyPassword string `json:"proxy_password"`
	CAFile        string `json:"ca_file"`
	Listeners     map[string]struct {
		Host string `json:"host"`
		Port int    `json:"port"`
	} `json:"listeners"`
}

// readyTimeout covers initdb on a busy machine.
const readyTimeout = 2 * time.Minute

// start runs the program and waits until it is ready. It may be called again
// after the program ended.
func (in *installation) start() error {
	readyFile := filepath.Join(in.dir, "ready.json")
	if err := os.Remove(readyFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	in.cmd = exec.Command(program, "dev", "--data", in.dir, "--only", in.only)
	in.cmd.Stdout, in.cmd.Stderr = &in.log, &in.log
	if err := in.cmd.Start(); err != nil {
		return fmt.Errorf("start tenantsdb: %w", err)
	}
	ended := make(chan error, 1)
	in.ended = make(chan struct{})
	go func(cmd *exec.Cmd, gone chan struct{}) {
		ended <- cmd.Wait()
		close(gone)
	}(in.cmd, in.ended)
	deadline := time.After(readyTimeout)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("tenantsdb ended before it was ready: %w\n%s", err, in.log.String())
		case <-deadline:
			in.cmd.Process.Kill()
			return fmt.Errorf("tenantsdb was not ready in %v\n%s", readyTimeout, in.log.String())
		case <-poll.C:
		}
		text, err := os.ReadFile(readyFile)
		if err != nil {
			continue
		}
		if err := json.Unmarshal(text, &in.ready); err != nil {
			return fmt.Errorf("ready.json: %w", err)
		}
		return nil
	}
}

// stop ends the program as an operator would, and waits for it.
func (in *installation) stop() {
	in.cmd.Process.Signal(syscall.SIGTERM)
	in.gone()
}

// kill ends the program as a crash would, and waits for it.
func (in *installation) kill() {
	in.cmd.Process.Kill()
	in.gone()
}

// gone waits until the program's process was reaped.
func (in *installation) gone() { <-in.ended }

// newInstallation starts an installation for one test, of one type of database
// such as "postgresql".
func newInstallation(t *testing.T, only string) *installation {
	t.Helper()
	dir, err := os.MkdirTemp("", "tenantsdb-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	in := &installation{dir: filepath.Join(dir, "data"), only: only}
	if err := in.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.stop()
		if t.Failed() {
			t.Logf("log of tenantsdb:\n%s", in.log.String())
		}
	})
	return in
}

// answer is what the admin API said.
type answer struct {
	status int
	body   map[string]any
}

// call asks the admin API with the installation's key; body is encoded as JSON
// unless it is nil.
func (in *installation) call(t testing.TB, method, path string, body any) answer {
	t.Helper()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	ctx, done := context.WithTimeout(context.Background(), time.Minute)
	defer done()
	request, err := http.NewRequestWithContext(ctx, method, in.AdminURL+path, content)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+in.APIKey)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode}
	if err := json.NewDecoder(response.Body).Decode(&a.body); err != nil {
		t.Fatalf("%s %s: decode answer: %v", method, path, err)
	}
	return a
}

// must is call where anything but the status wanted ends the test.
func (in *installation) must(t testing.TB, want int, method, path string, body any) map[string]any {
	t.Helper()
	a := in.call(t, method, path, body)
	if a.status != want {
		t.Fatalf("%s %s: got status %d, want %d: %v", method, path, a.status, want, a.body)
	}
	return a.body
}

// database is a workspace as a client reaches it.
type database struct {
	installation *installation
	id           string
	url          string // works pasted into the native client
	name         string // of the physical database
}

// workspace makes a PostgreSQL workspace that lives as long as the test.
func (in *installation) workspace(t testing.TB, name, mode string) database {
	t.Helper()
	body := in.must(t, http.StatusCreated, "POST", "/workspaces", map[string]any{"name": name, "database": "PostgreSQL", "mode": mode})
	t.Cleanup(func() { in.call(t, "DELETE", "/workspaces/"+name, nil) })
	connection := body["connection"].(map[string]any)
	return database{
		installation: in,
		id:           body["id"].(string),
		url:          body["connection_string"].(string),
		name:         connection["database"].(string),
	}
}

// psql runs psql on the workspace and gives its output; failing ends the test.
func (d database) psql(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	out, err := d.psqlErr(stdin, args...)
	if err != nil {
		t.Fatalf("psql %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (d database) psqlErr(stdin string, args ...string) (string, error) {
	cmd := exec.Command("psql", append([]string{"-X", "-v", "ON_ERROR_STOP=1", d.url}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// entry is one element of the deploy queue.
type entry struct {
	ID        int64             `json:"id"`
	Version   int64             `json:"version"`
	DDL       string            `json:"ddl"`
	Command   string            `json:"command"` // MongoDB: the document that DDL shows
	Session   map[string]string `json:"session"`
	Reverse   string            `json:"reverse"`
	Object    string            `json:"object"`
	Source    string            `json:"source"`
	Operation string            `json:"operation"`
}

// queue is the workspace's pending DDL, oldest first.
func (d database) queue(t testing.TB) []entry {
	t.Helper()
	body := d.installation.must(t, http.StatusOK, "GET", "/workspaces/"+d.id+"/diff", nil)
	text, err := json.Marshal(body["pending"])
	if err != nil {
		t.Fatal(err)
	}
	var entries []entry
	if err := json.Unmarshal(text, &entries); err != nil {
		t.Fatal(err)
	}
	return entries
}

// syncBuffer collects a program's output.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// buildFlags are those of `go build`, with the race detector where the tests
// run under it.
func buildFlags() []string {
	if raceEnabled {
		return []string{"build", "-race"}
	}
	return []string{"build"}
}
