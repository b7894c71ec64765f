package redis

import (
	"net"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

func TestClaimsOfStrangersCostNothing(t *testing.T) {
	w := newWorld(t)
	wiretest.CostNothing(t, map[string][]byte{
		"a bulk of 512 MB":         []byte("*2\r\n$4\r\nAUTH\r\n$536870912\r\nx"),
		"a bulk of 9 EB":           []byte("*2\r\n$4\r\nAUTH\r\n$9223372036854775807\r\n"),
		"a billion arguments":      []byte("*1000000000\r\n$4\r\nAUTH\r\n"),
		"a negative bulk":          []byte("*2\r\n$4\r\nAUTH\r\n$-7\r\n"),
		"a length without its end": []byte("*2\r\n$4\r\nAUTH\r\n$" + strings.Repeat("9", 40<<10)),
	}, func(t testing.TB) net.Conn { return w.stranger(t).conn })
}
