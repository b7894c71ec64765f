package mysql

import (
	"net"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/protocols/internal/wiretest"
)

func TestClaimsOfStrangersCostNothing(t *testing.T) {
	w := newWorld(t)
	wiretest.CostNothing(t, map[string][]byte{
		"as long as a packet can be": {0xff, 0xff, 0xff, 2, 1, 2, 3},
		"a proof of 16 EB":           encode(2, append(handshakeHead(usual|mysql.CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA), "root\x00\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"...)),
	}, func(t testing.TB) net.Conn {
		c, _ := w.startLogin(t)
		return c.conn
	})
}
