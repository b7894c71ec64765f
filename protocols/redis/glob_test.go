package redis

import (
	"strings"
	"testing"
	"time"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tidwall/redcon"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"*", "", false}, {"", "a", false}, {"a", "a", true}, {"*", "a", true}, {"**", "a", true},
		{"a*", "a", true}, {"*a", "ba", true}, {"*a", "ab", false}, {"a*b*c", "a-b-b-c", true}, {"a*b*c", "a-c-b", false},
		{"?", "a", true}, {"??", "a", false}, {"[ab]", "b", true}, {"[^ab]", "b", false}, {"[a-c]x", "bx", true},
		{"[c-a]", "b", true}, {"[", "a", false}, {"[a", "a", true}, {"[^", "a", true}, {"[]a]", "a]", false},
		{`[\]]`, "]", true}, {`\*`, "*", true}, {`\*`, "a", false}, {`a\`, `a\`, true}, {"[a-", "-", true},
	} {
		if got := match([]byte(c.pattern), []byte(c.s)); got != c.want {
			t.Errorf("match(%q, %q): got %v, want %v", c.pattern, c.s, got, c.want)
		}
	}
}

// TestMatchIsTheServers compares random patterns and channel names with what
// the server delivers: PUBSUB CHANNELS matches as PSUBSCRIBE and KEYS do.
func TestMatchIsTheServers(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{})
	random := newRandom(t)
	word := func(alphabet string, n int) string {
		var b strings.Builder
		for range random.IntN(n) {
			b.WriteByte(alphabet[random.IntN(len(alphabet))])
		}
		return b.String()
	}
	var keys []string
	admin := s.admin(t)
	for range 300 {
		key := word("abc-]\xe1\x80^", 7)
		keys = append(keys, key)
		admin.must("SET", key, "1")
	}
	for range 1500 {
		pattern := word("abc*?[]^-\\\xe1\x80", 9)
		if pattern == "*" {
			continue // KEYS knows it without matching
		}
		answer := admin.must("KEYS", pattern)
		for _, key := range keys {
			want := strings.Contains(answer, string(redcon.AppendBulkString(nil, key)))
			if got := match([]byte(pattern), []byte(key)); got != want {
				t.Fatalf("match(%q, %q): got %v, want %v", pattern, key, got, want)
			}
		}
	}
}

func TestMatchTakesNoLongTime(t *testing.T) {
	pattern, s := []byte(strings.Repeat("*a", 500)+"b"), []byte(strings.Repeat("a", 100_000))
	began := time.Now()
	if match(pattern, s) {
		t.Error("it matched")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a hostile pattern took %v", took)
	}
}
