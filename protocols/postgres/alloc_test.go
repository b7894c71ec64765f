//go:build !race

package postgres

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// The race detector makes sync.Pool forget at random, so that these counts
// mean something only without it.

// sink takes what is written and forgets it.
type sink struct{ *wiretest.Recording }

func (sink) Write(b []byte) (int, error) { return len(b), nil }

// relayInMemory has a backend that takes everything and a frontend in TLS
// whose other end reads everything.
func relayInMemory(t *testing.T) *relay {
	t.Helper()
	cert := wiretest.NewCertificate(t)
	near, far := net.Pipe()
	shaken := make(chan error, 1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		shaken <- tls.Client(far, cert.Client()).Handshake()
		_, _ = io.Copy(io.Discard, onlyReader{far}) // ends with the pipe
	}()
	t.Cleanup(func() {
		near.Close()
		<-drained
	})
	front := tls.Server(near, cert.Server())
	if err := front.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	live := workspace.NewLive(workspace.Workspace{Name: "shop", Settings: workspace.DefaultSettings()})
	r := &relay{
		protocol: &Protocol{wheel: window.NewWheel()},
		live:     live,
		tracked:  true,
		front:    front,
		back:     &backend{conn: sink{wiretest.NewRecording(nil)}},
	}
	r.room.L = &r.mu
	r.track.status = 'I'
	return r
}

func TestForwardingDoesNotAllocate(t *testing.T) {
	exchanges := map[string][2][]byte{
		"prepared": {join(bindText("", "s", "17"), execute("", 0), syncFrame()), join(bound, dataRow("0"), complete("SELECT 1"), ready('I'))},
		"simple":   {query("SELECT abalance FROM pgbench_accounts WHERE aid = 17"), join(frame('T', half(0)), dataRow("0"), complete("SELECT 1"), ready('I'))},
	}
	for name, e := range exchanges {
		t.Run(name, func(t *testing.T) {
			r := relayInMemory(t)
			ctx := context.Background()
			asks, answers := bytes.NewReader(nil), bytes.NewReader(nil)
			exchange := func() {
				asks.Reset(e[0])
				if err := r.fromFrontend.Fill(asks); err != nil {
					t.Fatal(err)
				}
				if err := r.forwardFrontend(); err != nil {
					t.Fatal(err)
				}
				answers.Reset(e[1])
				if err := r.fromBackend.Fill(answers); err != nil {
					t.Fatal(err)
				}
				if err := r.forwardBackend(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if n := testing.AllocsPerRun(1000, exchange); n != 0 {
				t.Errorf("%v allocations an exchange", n)
			}
			if in, out := r.Traffic(); in != 1001*int64(len(e[0])) || out != 1001*int64(len(e[1])) {
				t.Errorf("traffic: got %d and %d", in, out)
			}
			if n := r.replies(); n != 0 {
				t.Errorf("owed: got %d, want 0", n)
			}
		})
	}
}
