package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestServersThatDoNotAnswerAreWaitedForTogether: each is asked while the
// program still waits for the others.
func TestServersThatDoNotAnswerAreWaitedForTogether(t *testing.T) {
	asked := make(chan net.Conn)
	var servers []string
	var listeners []net.Listener
	for i, server := range []string{"postgres, user: x", "postgres, user: x", "mysql, user: x", "redis", "redis"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		listeners = append(listeners, l)
		go func() {
			// The first connection alone: a server is asked again while it is silent.
			if conn, err := l.Accept(); err == nil {
				asked <- conn
			}
		}()
		servers = append(servers, fmt.Sprintf("{name: s%d, type: %s, host: 127.0.0.1, port: %d, tls: \"off\"}", i, server, l.Addr().(*net.TCPAddr).Port))
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "tenantsdb.yaml")
	text := fmt.Sprintf("data_dir: %s/data\nadmin: {listen: \"127.0.0.1:%d\"}\n", dir, free(t))
	for _, section := range []string{"postgresql", "mysql", "redis"} {
		text += fmt.Sprintf("%s: {listen: \"127.0.0.1:%d\", public_host: localhost}\n", section, free(t))
	}
	text += "servers: [" + strings.Join(servers, ", ") + "]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, nil, "serve", "--config", file)
	var silent []net.Conn
	for range servers {
		select {
		case conn := <-asked:
			defer conn.Close()
			silent = append(silent, conn)
		case <-time.After(time.Minute):
			t.Fatalf("%d of %d servers were asked: %s", len(silent), len(servers), p.stderr.String())
		}
	}
	for _, conn := range silent {
		if !waiting(t, conn) {
			t.Error("a server was given up before the last one was asked")
		}
	}
	for i := range servers {
		listeners[i].Close()
		silent[i].Close()
	}
	p.await(t, "start", func() bool { return strings.Contains(p.stderr.String(), `"msg":"ready"`) })
	if got := strings.Count(p.stderr.String(), `"msg":"server can't be reached"`); got != len(servers) {
		t.Errorf("%d servers are said to be unreachable, want %d: %s", got, len(servers), p.stderr.String())
	}
	p.signal(syscall.SIGTERM)
	if code := p.exitCode(t); code != 0 {
		t.Errorf("got exit code %d, want 0: %s", code, p.stderr.String())
	}
}

// waiting says whether the other end of conn still waits for an answer.
func waiting(t *testing.T, conn net.Conn) bool {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for {
		var sent [64]byte
		if _, err := conn.Read(sent[:]); err != nil {
			return os.IsTimeout(err)
		}
	}
}
