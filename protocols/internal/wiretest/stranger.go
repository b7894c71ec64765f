package wiretest

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
)

// CostNothing has strangers, whose connections connect gives, claim to send
// much, each in one of the ways of said. They must not make the proxy set memory
// aside: whatever is allocated for it, also for a moment, is far below the claim.
func CostNothing(t *testing.T, said map[string][]byte, connect func(testing.TB) net.Conn) {
	const strangers, most = 20, 32 << 20 // bytes allocated by all of them and their TLS, on both ends
	for name, claim := range said {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range strangers {
				conn := connect(t)
				if _, err := conn.Write(claim); err != nil {
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
