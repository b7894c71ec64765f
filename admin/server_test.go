package admin

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// listen serves the API on a port of its own and dials it once.
func listen(t *testing.T, f *fixture, change func(*http.Server)) net.Conn {
	t.Helper()
	server := NewServer(f.api, slog.New(slog.NewJSONHandler(f.log, nil)))
	change(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestServerBoundsWhatAClientHolds(t *testing.T) {
	s := NewServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	for name, value := range map[string]time.Duration{
		"ReadHeaderTimeout": s.ReadHeaderTimeout, "ReadTimeout": s.ReadTimeout, "IdleTimeout": s.IdleTimeout,
	} {
		if value <= 0 || value > 2*time.Minute {
			t.Errorf("%s is %v", name, value)
		}
	}
	if s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > 64<<10 {
		t.Errorf("MaxHeaderBytes is %d", s.MaxHeaderBytes)
	}
}

func TestSlowHeadersAreCutOff(t *testing.T) {
	conn := listen(t, newFixture(t), func(s *http.Server) { s.ReadHeaderTimeout = 50 * time.Millisecond })
	_, _ = io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: x\r\n")
	if _, err := io.ReadAll(conn); err != nil {
		t.Errorf("the connection was not closed: %v", err)
	}
}

// inTime is long enough for a request that is sent at once, on a busy machine too.
const inTime = 2 * time.Second

func TestSlowBodyIsRefused(t *testing.T) {
	conn := listen(t, newFixture(t), func(s *http.Server) { s.ReadTimeout = inTime })
	_, _ = fmt.Fprintf(conn, "POST /workspaces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", rightKey)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusBadRequest {
		t.Errorf("got %d, want 400", answer.StatusCode)
	}
}

func TestLongWorkOutlivesTheReadDeadline(t *testing.T) {
	for name, rest := range map[string]string{
		"with a body":    "POST /workspaces/main/queries HTTP/1.1\r\nContent-Length: 21\r\n%s\r\n{\"query\": \"SELECT 1\"}",
		"without a body": "POST /workspaces/main/diff/42/revert HTTP/1.1\r\n%s\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			work := func(ctx context.Context) error {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(inTime + inTime/2):
					return nil
				}
			}
			f.service.query = func(ctx context.Context, _, _ string) (workspace.Result, error) {
				return workspace.Result{}, work(ctx)
			}
			f.service.revert = func(ctx context.Context, _ string, _ int64) (string, error) { return "", work(ctx) }
			conn := listen(t, f, func(s *http.Server) { s.ReadTimeout = inTime })
			_, _ = fmt.Fprintf(conn, rest, "Host: x\r\nAuthorization: Bearer "+rightKey+"\r\n")
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != http.StatusOK {
				t.Errorf("got %d, want 200", answer.StatusCode)
			}
		})
	}
}

func TestOptionsOfTheServerIsAnUnknownRoute(t *testing.T) {
	conn := listen(t, newFixture(t), func(*http.Server) {})
	_, _ = io.WriteString(conn, "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	got, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(got), `"code":"auth_required"`) {
		t.Errorf("got %s %v", got, err)
	}
}

func TestPanicAfterTheHeaderCutsTheConnection(t *testing.T) {
	f := newFixture(t)
	f.api.exporter = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic("planted panic")
	})
	conn := listen(t, f, func(*http.Server) {})
	_, _ = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
	got, _ := io.ReadAll(conn)
	if strings.HasSuffix(string(got), "0\r\n\r\n") {
		t.Errorf("half an answer was ended as a whole one: %q", got)
	}
	if log := f.log.String(); !strings.Contains(log, "planted panic") || !strings.Contains(log, `"aborted":true`) {
		t.Errorf("the log lacks the panic\n%s", log)
	}
}

// patient notes how long each write may take.
type patient struct {
	*httptest.ResponseRecorder
	deadline time.Time
	waits    []time.Duration
}

func (p *patient) SetWriteDeadline(deadline time.Time) error {
	p.deadline = deadline
	return nil
}

func (p *patient) Write(b []byte) (int, error) {
	p.waits = append(p.waits, time.Until(p.deadline))
	return p.ResponseRecorder.Write(b)
}

func TestEachWriteHasADeadlineOfItsOwn(t *testing.T) {
	f := newFixture(t)
	f.service.query = func(context.Context, string, string) (workspace.Result, error) {
		return workspace.Result{Columns: []string{"x"}, Rows: [][]any{{strings.Repeat("a", 300_000)}, {"b"}}, RowCount: 2}, nil
	}
	w := &patient{ResponseRecorder: httptest.NewRecorder(), deadline: time.Now().Add(-time.Hour)}
	f.api.ServeHTTP(w, request("POST", "/workspaces/main/queries", `{"query": "SELECT"}`))
	if len(w.waits) < 2 {
		t.Fatalf("got %d writes, want several", len(w.waits))
	}
	for _, wait := range w.waits {
		if wait <= 0 || wait > writeWait {
			t.Errorf("a write may take %v, want up to %v", wait, writeWait)
		}
	}
}

func TestKeptConnectionForgetsTheLastDeadline(t *testing.T) {
	f := newFixture(t)
	w := &patient{ResponseRecorder: httptest.NewRecorder(), deadline: time.Now().Add(-time.Hour)}
	f.service.list = func() ([]workspace.Workspace, error) {
		if !w.deadline.IsZero() {
			t.Errorf("the request began with the deadline %v", w.deadline)
		}
		return nil, nil
	}
	f.api.ServeHTTP(w, request("GET", "/workspaces", ""))
}
