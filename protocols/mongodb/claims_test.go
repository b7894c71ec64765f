package mongodb

import (
	"net"
	"testing"

	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

func TestClaimsOfStrangersCostNothing(t *testing.T) {
	w := newWorld(t)
	wiretest.CostNothing(t, map[string][]byte{
		"a message of 48 MB":    appendHeader(nil, header{48_000_000, 1, 0, opMsg}),
		"a message of 2 GB":     appendHeader(nil, header{0x7fffffff, 1, 0, opMsg}),
		"a negative message":    appendHeader(nil, header{-5, 1, 0, opMsg}),
		"packed, 2 GB unpacked": append(appendHeader(nil, header{headerSize + 10, 1, 0, opCompressed}), 0xdd, 7, 0, 0, 0xff, 0xff, 0xff, 0x7f, 2, 1),
	}, func(t testing.TB) net.Conn { return w.stranger(t).conn })
}
