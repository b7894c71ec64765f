package redis

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzScriptBody has any text for a script: what is sent of it has its lines,
// and all of its bytes in their order, with nothing put in but parentheses.
func FuzzScriptBody(f *testing.F) {
	for _, script := range scriptsThatShow {
		f.Add([]byte(script))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := bytes.TrimPrefix(appendScriptBody(nil, text), []byte("local server=rawget(_G,'server') and redis;"))
		rest := text
		for _, c := range got {
			switch {
			case len(rest) > 0 && rest[0] == c:
				rest = rest[1:]
			case c != '(' && c != ')':
				t.Fatalf("%q: got %q", text, got)
			}
		}
		if len(rest) > 0 || strings.Count(string(got), "\n") != strings.Count(string(text), "\n") {
			t.Fatalf("%q: got %q", text, got)
		}
	})
}
