package redis

import (
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
)

// A stranger who claims to send much must not make the proxy set memory aside:
// whatever is allocated for it, also for a moment, is far below the claim.
func TestClaimsOfStrangersCostNothing(t *testing.T) {
	const strangers, most = 20, 32 << 20 // bytes allocated by all of them and their TLS, on both ends
	w := newWorld(t)
	for name, said := range map[string][]byte{
		"a bulk of 512 MB":         []byte("*2\r\n$4\r\nAUTH\r\n$536870912\r\nx"),
		"a bulk of 9 EB":           []byte("*2\r\n$4\r\nAUTH\r\n$9223372036854775807\r\n"),
		"a billion arguments":      []byte("*1000000000\r\n$4\r\nAUTH\r\n"),
		"a negative bulk":          []byte("*2\r\n$4\r\nAUTH\r\n$-7\r\n"),
		"a length without its end": []byte("*2\r\n$4\r\nAUTH\r\n$" + strings.Repeat("9", 40<<10)),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range strangers {
				conn := w.stranger(t).conn
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
