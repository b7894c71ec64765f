package redis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tidwall/redcon"
)

// The settings of the tests with a model, and what they mean by hand.
var modelSettings = workspace.Settings{
	DefaultTTL: 7000,
	Patterns: map[string]workspace.Pattern{
		"key:[01]": {TTL: 3000},
		"key:*":    {TTL: 5000},
		"key:2*":   {TTL: 0},
	},
}

var modelTTL = map[string]int64{"key:0": 3000, "key:1": 3000, "key:2": 0, "key:3": 5000, "key:4": 5000, "key:5": 5000}

// replacedKey is the key that a command, done with reply, put a new value in
// the place of, whatever was there; empty where it did not.
func replacedKey(args []string, reply string) string {
	name := strings.ToUpper(args[0])
	if reply[0] == '-' || len(args) < 2 {
		return ""
	}
	is := func(words ...string) bool {
		return slices.ContainsFunc(args[2:], func(arg string) bool { return slices.Contains(words, arg) })
	}
	switch name {
	case "SET":
		null := reply == "$-1\r\n" || reply == "_\r\n"
		if is("KEEPTTL") || is("NX", "XX") && null {
			return ""
		}
		return args[1]
	case "GETSET", "SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE", "ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE", "ZRANGESTORE", "GEOSEARCHSTORE":
		return args[1]
	case "RENAME":
		if args[1] == args[2] {
			return ""
		}
		return args[2]
	case "BITOP":
		return args[2]
	case "RENAMENX", "COPY":
		if reply == ":1\r\n" {
			return args[2]
		}
	case "EVAL":
		if strings.Contains(args[1], "redis.call('SET',KEYS[1],ARGV[1])") {
			return args[3]
		}
	case "SORT", "GEORADIUS":
		if is("STORE") {
			return args[len(args)-1]
		}
	}
	return ""
}

// model is a database whose keys get their expiry from the test, one command
// after the other.
type model struct {
	*client
	ttls map[string]int64
}

// anyCommand is a script that runs its arguments.
const anyCommand = "return redis.call(unpack(ARGV))"

// inScript is the command as a script that does not name its keys, where scripts
// may run it.
func inScript(command []string) []string {
	switch command[0] {
	case "COPY", "EVAL", "EVAL_RO", "EVALSHA", "FLUSHALL", "PUBLISH", "SPUBLISH", "SCRIPT", "SELECT", "WAIT":
		return command
	}
	return append([]string{"EVAL", anyCommand, "0"}, command...)
}

// run does one command and then what the settings ask for.
func (m *model) run(args []string) string {
	before := make(map[string]bool)
	for key := range m.ttls {
		before[key] = m.must("EXISTS", key) == ":1\r\n"
	}
	reply := m.do(args...)
	if args[0] == "EVAL" && args[1] == anyCommand {
		args = args[3:]
	}
	replaced := replacedKey(args, reply)
	all := args[0] == "MSET" && reply == "+OK\r\n" || args[0] == "MSETNX" && reply == ":1\r\n"
	keeps := args[0] == "SET" && slices.Contains(args, "KEEPTTL")
	for key, ttl := range m.ttls {
		anew := !before[key] || key == replaced || all && slices.Contains(args[1:], key)
		if anew && ttl > 0 && !keeps && m.must("TTL", key) == ":-1\r\n" {
			m.must("EXPIRE", key, strconv.FormatInt(ttl, 10))
		}
	}
	return reply
}

// state is what a database holds: keys with their types and seconds to live.
func state(c *client) map[string]string {
	s := make(map[string]string)
	for i := range 6 {
		key := fmt.Sprintf("key:%d", i)
		s[key] = c.must("TYPE", key) + c.must("TTL", key)
	}
	s["keys"] = c.must("DBSIZE")
	return s
}

// sameState compares two states. A second may have passed between them.
func sameState(a, b map[string]string) bool {
	for key, x := range a {
		y := b[key]
		if x == y {
			continue
		}
		xs, ys := strings.Split(x, ":"), strings.Split(y, ":")
		if len(xs) != 2 || len(ys) != 2 || xs[0] != ys[0] {
			return false
		}
		m, _ := strconv.Atoi(strings.TrimSpace(xs[1]))
		n, _ := strconv.Atoi(strings.TrimSpace(ys[1]))
		if m < 0 || n < 0 || max(m-n, n-m) > 3 {
			return false
		}
	}
	return true
}

// modelTemplates are the templates whose replies tell no times and no encodings
// (see sameValue), and that are no transaction of their own.
func modelTemplates() []string {
	return slices.DeleteFunc(allTemplates(), func(template string) bool {
		name, _, _ := strings.Cut(template, " ")
		return slices.Contains([]string{"TTL", "EXPIRETIME", "DUMP", "MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH", "CLIENT"}, name)
	})
}

// TestKeysLiveAsAModelSays runs random commands, some of them in transactions,
// in a workspace with patterns: keys, types, times and replies are those of a
// database where the test sets each expiry itself.
func TestKeysLiveAsAModelSays(t *testing.T) {
	for _, protocol := range []string{"2", "3"} {
		t.Run("RESP"+protocol, func(t *testing.T) {
			w := newWorld(t)
			settings := modelSettings
			settings.MaxKeys = 1000 // far away, so that its gate is passed
			through, direct := w.workspace(t, settings), w.workspace(t, workspace.Settings{})
			c, m := through.connect(t), &model{direct.admin(t), modelTTL}
			look := through.admin(t)
			c.must("HELLO", protocol)
			m.must("HELLO", protocol)
			look.must("HELLO", protocol)
			random := newRandom(t)
			all := modelTemplates()
			for range 1500 {
				var commands [][]string
				for range 1 + random.IntN(5)*random.IntN(2) {
					command := fill(random, all[random.IntN(len(all))])
					if random.IntN(4) == 0 {
						command = inScript(command)
					}
					commands = append(commands, command)
				}
				if len(commands) > 1 && random.IntN(2) == 0 && !slices.ContainsFunc(commands, waits) {
					inTransaction(t, c, m, commands)
				} else {
					pipeline(t, random, c, m, commands)
				}
				got, want := state(look), state(m.client)
				if !sameState(got, want) {
					t.Fatalf("after %q:\ngot  %q\nwant %q", commands, got, want)
				}
			}
		})
	}
}

// modelled is a command as the model's server, where the client is the
// administrator of database m, has to be asked.
func (m *model) modelled(command []string) string {
	switch {
	case command[0] == "FLUSHALL":
		command = append([]string{"FLUSHDB"}, command[1:]...)
	case command[0] == "SELECT" && len(command) == 2:
		return "+OK\r\n"
	}
	return m.run(command)
}

// waits says that the command's null is another one inside of a transaction,
// where it can't wait.
func waits(command []string) bool {
	return command[0] == "BRPOPLPUSH" || command[0] == "BLMOVE"
}

func pipeline(t *testing.T, random *rand.Rand, c *client, m *model, commands [][]string) {
	t.Helper()
	var sent []byte
	for _, command := range commands {
		sent = appendCommand(sent, command...)
	}
	if random.IntN(4) == 0 { // in pieces
		at := random.IntN(len(sent))
		c.send(sent[:at])
		c.send(sent[at:])
	} else {
		c.send(sent)
	}
	for _, command := range commands {
		if got, want := c.read(), m.modelled(command); got != want {
			t.Fatalf("%q: got %q, want %q", command, got, want)
		}
	}
}

// inTransaction runs commands in MULTI. What can't be queued ends it, which the
// model has no part in.
func inTransaction(t *testing.T, c *client, m *model, commands [][]string) {
	t.Helper()
	c.want("+OK\r\n", "MULTI")
	failed := false
	for _, command := range commands {
		failed = c.do(command...) != "+QUEUED\r\n" || failed
	}
	got := c.do("EXEC")
	if failed {
		if !strings.HasPrefix(got, "-EXECABORT") {
			t.Fatalf("EXEC of %q: got %q, want EXECABORT", commands, got)
		}
		return
	}
	want := redcon.AppendArray(nil, len(commands))
	for _, command := range commands {
		want = append(want, m.modelled(command)...)
	}
	if got != string(want) {
		t.Fatalf("EXEC of %q:\ngot  %q\nwant %q", commands, got, want)
	}
}
