//go:build !race

package mysql

import (
	"bytes"
	"context"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

// relayInMemory has a backend that takes everything and a frontend in TLS
// whose other end reads everything.
func relayInMemory(t *testing.T, mode workspace.Mode) *relay {
	t.Helper()
	live := workspace.NewLive(workspace.Workspace{Name: "shop", Settings: workspace.DefaultSettings()})
	r := &relay{
		protocol: &Protocol{wheel: window.NewWheel()},
		live:     live,
		front:    wiretest.Drained(t),
		back:     &backend{conn: wiretest.NewSink()},
	}
	r.life.Begin(&r.mu, r.front, r.back.conn)
	r.track.tracked, r.track.deployed = mode == workspace.Tenant, mode == workspace.Deployed
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
	deployed := map[string]string{
		"call":     "\x03CALL restock(17)",
		"executed": "\x03EXECUTE dropped",
	}
	for name, ask := range deployed {
		exchanges[name] = [2][]byte{encode(0, []byte(ask)), appendPacket(nil, 1, okPayload)}
	}
	for name, e := range exchanges {
		mode := workspace.Tenant
		if _, is := deployed[name]; is {
			mode = workspace.Deployed
		}
		t.Run(name, func(t *testing.T) {
			r := relayInMemory(t, mode)
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
			wiretest.NoAllocation(t, r, exchange, len(e[0]), len(e[1]))
		})
	}
}
