package wiretest

import (
	"fmt"
	"iter"
)

// Cuts gives every way to receive b that a test of a scanner needs: whole, in
// two at each byte, and one byte at a time. The name says which.
func Cuts(b []byte) iter.Seq2[string, [][]byte] {
	return func(yield func(string, [][]byte) bool) {
		if !yield("whole", [][]byte{b}) {
			return
		}
		for at := 1; at < len(b); at++ {
			if !yield(fmt.Sprintf("cut at %d", at), [][]byte{b[:at], b[at:]}) {
				return
			}
		}
		single := make([][]byte, len(b))
		for i := range b {
			single[i] = b[i : i+1]
		}
		yield("byte by byte", single)
	}
}
