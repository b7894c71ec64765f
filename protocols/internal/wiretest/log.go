package wiretest

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// Log is a log that tests can read while it is written.
type Log struct {
	// MayPanic is set by a test that plants a panic.
	MayPanic bool

	mu  sync.Mutex
	buf bytes.Buffer
}

// NewLog makes a log that, when the test is over, must hold none of the secrets
// and no session's panic.
func NewLog(t testing.TB, secrets ...string) *Log {
	t.Helper()
	l := &Log{}
	t.Cleanup(func() {
		text := l.String()
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Error("the log holds a secret")
			}
		}
		if !l.MayPanic && strings.Contains(text, "panicked") {
			t.Errorf("a session panicked:\n%s", text)
		}
	})
	return l
}

// Logger writes everything, down to what is for debugging, into the log.
func (l *Log) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
