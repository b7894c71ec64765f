package mysql

import (
	"errors"
	"io"
	"os"
	"runtime"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// A stranger who claims to send much must not make the proxy set memory aside:
// whatever is allocated for it, also for a moment, is far below the claim.
func TestClaimsOfStrangersCostNothing(t *testing.T) {
	const strangers, most = 20, 32 << 20 // bytes allocated by all of them and their TLS, on both ends
	w := newWorld(t)
	for name, said := range map[string][]byte{
		"as long as a packet can be": {0xff, 0xff, 0xff, 2, 1, 2, 3},
		"a proof of 16 EB":           encode(2, append(handshakeHead(usual|mysql.CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA), "root\x00\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"...)),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range strangers {
				c, _ := w.startLogin(t)
				conn := c.conn
				if _, err := conn.Write(said); err != nil {
					t.Fatal(err)
				}
				// Its end or a refusal: the claim has been read.
				if _, err := io.ReadFull(conn, make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal(err)
				}
			}
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > most {
				t.Errorf("%d strangers made the proxy allocate %d MB", strangers, took>>20)
			}
		})
	}
}
