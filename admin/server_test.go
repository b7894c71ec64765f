package admin

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
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

func TestSlowBodyIsRefused(t *testing.T) {
	conn := listen(t, newFixture(t), func(s *http.Server) { s.ReadTimeout = 100 * time.Millisecond })
	_, _ = fmt.Fprintf(conn, "POST /workspaces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", rightKey)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusBadRequest {
		t.Errorf("got %d, want 400", answer.StatusCode)
	}
}

func TestLongQueryOutlivesTheReadDeadline(t *testing.T) {
	f := newFixture(t)
	const readTimeout = 50 * time.Millisecond
	f.service.query = func(ctx context.Context, _, _ string) (workspace.Result, error) {
		select {
		case <-ctx.Done():
			return workspace.Result{}, ctx.Err()
		case <-time.After(6 * readTimeout):
			return workspace.Result{}, nil
		}
	}
	conn := listen(t, f, func(s *http.Server) { s.ReadTimeout = readTimeout })
	body := `{"query": "SELECT pg_sleep(1)"}`
	_, _ = fmt.Fprintf(conn, "POST /workspaces/main/queries HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		rightKey, len(body), body)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		t.Errorf("got %d, want 200", answer.StatusCode)
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
