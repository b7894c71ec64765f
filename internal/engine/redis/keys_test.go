package redis_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

func TestKeysAreCountedByPrefixTypeAndExpiry(t *testing.T) {
	e := newEngine(t, server)
	to := created(t, e, 17)
	c := administrator(t, server, 17)
	for i := range 3 {
		must(t, c.Set(t.Context(), fmt.Sprintf("session:%d", i), "secret", time.Hour).Err())
	}
	must(t, c.HSet(t.Context(), "session:h", "f", "secret").Err())
	must(t, c.Set(t.Context(), "plain", "secret", 0).Err())
	must(t, c.LPush(t.Context(), "odd*[x]:list", "secret").Err())
	must(t, c.Set(t.Context(), "\xff\xfe:raw", "secret", 0).Err())
	must(t, administrator(t, server, 18).Set(t.Context(), "session:other", "secret", 0).Err())
	defer administrator(t, server, 18).FlushDB(t.Context())

	keys, err := e.Keys(t.Context(), to)
	must(t, err)
	got, err := json.Marshal(keys)
	must(t, err)
	want := `{"Total":7,"Looked":7,"Complete":true,"Groups":[` +
		`{"Pattern":"session:*","Count":4,"Types":{"hash":1,"string":3},"WithTTL":3},` +
		`{"Pattern":"*","Count":2,"Types":{"string":2},"WithTTL":0},` +
		`{"Pattern":"odd\\*\\[x\\]:*","Count":1,"Types":{"list":1},"WithTTL":0}]}`
	equal(t, "keys", string(got), want)
	for _, group := range keys.Groups {
		matched, _, err := c.Scan(t.Context(), 0, group.Pattern, 1000).Result()
		must(t, err)
		if group.Pattern != "*" {
			equal(t, "keys that match "+group.Pattern, int64(len(matched)), group.Count)
		}
	}
}

func TestAnEmptyDatabaseHasNoKeys(t *testing.T) {
	e := newEngine(t, server)
	keys, err := e.Keys(t.Context(), created(t, e, 17))
	must(t, err)
	if keys.Total != 0 || !keys.Complete || keys.Groups == nil || len(keys.Groups) != 0 {
		t.Errorf("got %+v", keys)
	}
}

func TestManyKeysAreSampledAndManyPrefixesJoined(t *testing.T) {
	e := newEngine(t, server)
	to := created(t, e, 17)
	c := administrator(t, server, 17)
	const all = 110_000
	for first := 0; first < all; first += 10_000 {
		_, err := c.Pipelined(t.Context(), func(p goredis.Pipeliner) error {
			for i := first; i < first+10_000; i++ {
				p.Set(t.Context(), fmt.Sprintf("p%d:%d", i%2000, i), "", 0)
			}
			return nil
		})
		must(t, err)
	}
	keys, err := e.Keys(t.Context(), to)
	must(t, err)
	var counted int64
	for _, group := range keys.Groups {
		counted += group.Count
	}
	equal(t, "total", keys.Total, all)
	equal(t, "counted", counted, keys.Looked)
	if keys.Complete || keys.Looked >= all || len(keys.Groups) > 1001 {
		t.Errorf("looked at %d keys in %d groups, complete %v", keys.Looked, len(keys.Groups), keys.Complete)
	}
}
