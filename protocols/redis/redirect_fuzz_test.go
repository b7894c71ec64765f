package redis

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// FuzzTold has the session told of a key while replies of any kind come in two
// pieces: the client gets it once, between two values, and else the same.
func FuzzTold(f *testing.F) {
	for _, reply := range repliesOfAllTypes {
		f.Add([]byte(reply+reply), uint16(3))
	}
	f.Add([]byte("*3\r\n:1\r\n:2\r\n$1\r\nx\r\n+OK\r\n"), uint16(9))
	f.Add([]byte("*2\r\n>4\r\n$8\r\npmessage\r\n$17\r\n__keyspace@7__:**\r\n$16\r\n__keyspace@7__:k\r\n$3\r\nset\r\n:1\r\n*1\r\n>3\r\n$7\r\nmessage\r\n$3\r\n7:c\r\n$1\r\nm\r\n$1\r\nx\r\n"), uint16(60))
	f.Add([]byte(">3\r\n$7\r\nmessage\r\n$19\r\n__keyevent@7__:set\r\n$1\r\nm\r\n"), uint16(51))
	f.Fuzz(func(t *testing.T, in []byte, cut uint16) {
		run := func(tells bool) (out string, err error) {
			r, _ := newBench(workspace.Settings{})
			r.replies.resp3 = true
			for range 3 {
				r.owed.push(reply{kind: executed, n: 1, shape: []bool{true, false}})
				r.owed.push(reply{kind: passed, n: 2})
			}
			var to bytes.Buffer
			at := min(int(cut), len(in))
			for i, part := range [][]byte{in[:at], in[at:], nil} {
				if i == 1 && tells {
					r.tell("told", false)
				}
				for once := true; once || len(part) > 0; once = false {
					if len(part) > 0 {
						from := bytes.NewReader(part)
						if err := r.fromBackend.Fill(from); err != nil {
							return "", err
						}
						part = part[len(part)-from.Len():]
					}
					if err := r.forwardTo(&to); err != nil {
						return "", err
					}
				}
			}
			if r.told.any {
				if !r.replies.v.within() && r.replies.elements == 0 {
					t.Fatal("it waits between replies")
				}
				r.replies.out = nil
				r.deliver(nil, 0)
				to.Write(r.replies.out)
			}
			return to.String(), nil
		}
		alone, errAlone := run(false)
		told, errTold := run(true)
		if (errAlone == nil) != (errTold == nil) {
			t.Fatalf("alone: %v, told: %v", errAlone, errTold)
		}
		if errAlone != nil {
			return
		}
		push := invalid(true, "told")
		if got := strings.Count(told, push) - strings.Count(alone, push); got != 1 || strings.Replace(told, push, "", 1) != alone && strings.Count(alone, push) == 0 {
			t.Fatalf("told %d times: %q, alone %q", got, told, alone)
		}
	})
}
