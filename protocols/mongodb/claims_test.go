package mongodb

import (
	"errors"
	"io"
	"os"
	"runtime"
	"testing"
)

// A stranger who claims to send much must not make the proxy set memory aside:
// whatever is allocated for it, also for a moment, is far below the claim.
func TestClaimsOfStrangersCostNothing(t *testing.T) {
	const strangers, most = 20, 32 << 20 // bytes allocated by all of them and their TLS, on both ends
	w := newWorld(t)
	for name, said := range map[string][]byte{
		"a message of 48 MB":    appendHeader(nil, header{48_000_000, 1, 0, opMsg}),
		"a message of 2 GB":     appendHeader(nil, header{0x7fffffff, 1, 0, opMsg}),
		"a negative message":    appendHeader(nil, header{-5, 1, 0, opMsg}),
		"packed, 2 GB unpacked": append(appendHeader(nil, header{headerSize + 10, 1, 0, opCompressed}), 0xdd, 7, 0, 0, 0xff, 0xff, 0xff, 0x7f, 2, 1),
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
