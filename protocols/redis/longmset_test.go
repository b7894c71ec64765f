package redis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// TestALongMsetnxKeepsTheRules: those of a short one, whether it writes or not,
// and nothing else is seen of it.
func TestALongMsetnxKeepsTheRules(t *testing.T) {
	w := newWorld(t)
	settings := workspace.Settings{DefaultTTL: 10_000, Patterns: map[string]workspace.Pattern{"own:*": {}, "cache:*": {TTL: 1000}}}
	for _, resp3 := range []bool{false, true} {
		var talks [2][]string
		for i, value := range []string{"v", strings.Repeat("v", maxHeld+1)} {
			s := w.workspace(t, settings)
			c, admin, listener, direct := s.connect(t).speak(resp3), s.admin(t), s.connect(t).speak(resp3), s.connect(t)
			tracker, told := s.connect(t).speak(resp3), s.connect3(t)
			tracker.must("CLIENT", "TRACKING", "ON", "BCAST", "REDIRECT", told.id())
			listener.send(appendCommand(nil, "PSUBSCRIBE", "__key*__:*"))
			listener.read()
			direct.send(appendCommand(nil, "SUBSCRIBE", "__keyevent@0__:del"))
			direct.read()
			admin.must("SET", "old", "1")
			admin.must("SET", "timed", "1", "EX", "100000")
			note := func(reply string) { talks[i] = append(talks[i], strings.ReplaceAll(reply, value, "v")) }
			msetnx := func(keys ...string) {
				args := []string{"MSETNX"}
				for _, key := range keys {
					args = append(args, key, value)
				}
				note(c.do(args...))
			}
			state := func() {
				note(admin.must("DBSIZE"))
				for _, key := range []string{"a", "b", "cache:1", "own:1", "old", "timed", "tx"} {
					ttl, err := strconv.Atoi(strings.Trim(admin.must("TTL", key), ":\r\n"))
					if err != nil {
						t.Fatal(err)
					}
					if ttl > 0 {
						ttl = (ttl + 999) / 1000 // some seconds may have passed
					}
					note(fmt.Sprintf("%s: %d, %s", key, ttl, admin.must("EXISTS", key)))
				}
			}
			msetnx("a", "old", "b")
			msetnx("old", "timed")
			msetnx("timed")
			state()
			msetnx("a", "b", "a", "cache:1", "own:1")
			state()
			msetnx("a", "b")
			admin.must("PERSIST", "b")
			msetnx("b")
			state()
			c.must("MULTI")
			c.must("GET", "none")
			msetnx("tx")
			c.must("DEL", "cache:1")
			msetnx("a")
			note(c.must("EXEC"))
			state()
			c.must("WATCH", "w")
			c.must("MULTI")
			msetnx("watched")
			note(c.must("EXEC"))
			note(c.do("MSETNX", "odd", value, "x"))
			c.must("DEL", "a")
			// What they hear of in the end, they have heard of all that came before.
			for {
				got := direct.read()
				note(got)
				if strings.Contains(got, "$1\r\na\r\n") {
					break
				}
			}
			c.must("SET", "last", "1")
			for _, hears := range []*client{listener, told} {
				for got := ""; !strings.Contains(got, "last"); {
					got = hears.read()
					if strings.Contains(got, "tenantsdb") {
						t.Fatalf("heard of %q", got)
					}
				}
			}
		}
		if !slices.Equal(talks[0], talks[1]) {
			t.Errorf("got\n%q\nwant as of a short one\n%q", talks[1], talks[0])
		}
	}
}

// TestALongMsetnxIsRefusedWhereItsKeysWouldHaveToBeSeen: at the limit of
// max_keys, and between WATCH and MULTI, where it can't have a transaction.
func TestALongMsetnxIsRefusedWhereItsKeysWouldHaveToBeSeen(t *testing.T) {
	w := newWorld(t)
	s := w.workspace(t, workspace.Settings{DefaultTTL: 100, MaxKeys: 4})
	c, large := s.connect(t), strings.Repeat("v", maxHeld+1)
	c.want(":1\r\n", "MSETNX", "a", large, "b", large)
	c.want(":0\r\n", "MSETNX", "b", large, "c", large)
	c.want(":2\r\n", "DBSIZE")
	c.want("-"+errTooLong+"\r\n", "MSETNX", "c", large, "d", large, "e", large)
	c.must("MULTI")
	c.want("-"+errTooLong+"\r\n", "MSETNX", "c", large)
	c.must("DISCARD")
	c.must("WATCH", "a")
	c.want("-"+errTooLong+"\r\n", "MSETNX", "c", large)
	c.must("UNWATCH")
	c.want(":1\r\n", "MSETNX", "c", large, "d", large)
	c.wantTTL(":100\r\n", "d")
	c.want(":4\r\n", "DBSIZE")
	c.must("DEL", "a", "b")
	c.send(appendCommand(nil, "MSETNX", "a", large, strings.Repeat("k", maxLongKey+1), "v"))
	if got := c.ended(); got != "-ERR "+errLongKeys.Error()+"\r\n" {
		t.Errorf("a key too long: got %q", got)
	}
}

// TestSignsAreOnlyThoseThatNobodyGuesses: other keys are heard of.
func TestSignsAreOnlyThoseThatNobodyGuesses(t *testing.T) {
	for key, want := range map[string]bool{newSign(): true, newSign()[1:]: false, newSign() + "x": false, strings.Repeat("k", signLength): false, "": false} {
		if got := isSign(key); got != want {
			t.Errorf("%q: got %v", key, got)
		}
	}
	s := newWorld(t).workspace(t, workspace.Settings{})
	c, writer := s.connect3(t), s.connect(t)
	c.send(appendCommand(nil, "SUBSCRIBE", "__keyevent@0__:set"))
	c.read()
	for _, key := range []string{strings.Repeat("k", signLength), "", signPrefix} {
		writer.must("SET", key, "v")
		c.expect(frame(true, "message", "__keyevent@0__:set", key))
	}
}
