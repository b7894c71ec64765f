//go:build !race

package mysql

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// The race detector makes sync.Pool forget at random, so that these counts
// mean something only without it.

// sink takes what is written and forgets it.
type sink struct{ *wiretest.Recording }

func (sink) Write(b []byte) (int, error) { return len(b), nil }

// onlyReader hides that its connection can do more than read.
type onlyReader struct{ r io.Reader }

func (o onlyReader) Read(p []byte) (int, error) { return o.r.Read(p) }

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
		front:    front,
		back:     &backend{conn: sink{wiretest.NewRecording(nil)}},
	}
	r.room.L = &r.mu
	r.track.tracked = true
	return r
}

func TestForwardingDoesNotAllocate(t *testing.T) {
	definition := []byte("\x03def\x04shop\x05goods\x05goods\x02id\x02id\x0c\x3f\x00\x0b\x00\x00\x00\x03\x03\x42\x00\x00\x00")
	eof := []byte{0xfe, 0, 0, 2, 0}
	result := func(row string) []byte {
		var b []byte
		for i, payload := range [][]byte{{1}, definition, eof, []byte(row), eof} {
			b = appendPacket(b, byte(i+1), payload)
		}
		return b
	}
	exchanges := map[string][2][]byte{
		"text":     {encode(0, []byte("\x03SELECT c FROM sbtest1 WHERE id = 17")), result("\x0217")},
		"prepared": {encode(0, append([]byte{mysql.COM_STMT_EXECUTE, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 8, 0}, make([]byte, 8)...)), result("\x00\x00\x11\x00\x00\x00")},
		"update":   {encode(0, []byte("\x03UPDATE sbtest1 SET k = k + 1 WHERE id = 17")), appendPacket(nil, 1, okPayload)},
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
				if err := r.forwardFrontend(ctx); err != nil {
					t.Fatal(err)
				}
				answers.Reset(e[1])
				if err := r.fromBackend.Fill(answers); err != nil {
					t.Fatal(err)
				}
				if err := r.forwardBackend(ctx); err != nil {
					t.Fatal(err)
				}
				if r.track.owed {
					t.Fatal("the reply did not end")
				}
			}
			if n := testing.AllocsPerRun(1000, exchange); n != 0 {
				t.Errorf("%v allocations an exchange", n)
			}
			if in, out := r.Traffic(); in != 1001*int64(len(e[0])) || out != 1001*int64(len(e[1])) {
				t.Errorf("traffic: got %d and %d", in, out)
			}
		})
	}
}
