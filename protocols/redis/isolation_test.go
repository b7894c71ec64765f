package redis

import (
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// TestAHostileClientReachesNothingElse runs what may lead out of a workspace,
// through the proxy and directly at the server with the role's own login.
func TestAHostileClientReachesNothingElse(t *testing.T) {
	w := newWorld(t)
	own, other := w.workspace(t, workspace.Settings{}), w.workspace(t, workspace.Settings{})
	const secret = "other_planted_value"
	victim := other.admin(t)
	victim.must("SET", "secret", secret)
	victim.must("RPUSH", "secrets", secret)
	listener := other.connect3(t)
	listener.send(appendCommand(nil, "PSUBSCRIBE", "*"))
	listener.read()
	n := other.route.Database
	attacks := []string{
		"SELECT " + n, "MOVE mine " + n, "COPY mine taken DB " + n, "SWAPDB " + own.route.Database + " " + n, "FLUSHALL", "GET secret", "KEYS *", "SCAN 0", "RANDOMKEY",
		"SORT mylist BY nosort GET secret", "SORT mylist GET secret* GET #", "DBSIZE", "INFO", "INFO keyspace", "CLIENT LIST", "MONITOR", "DEBUG OBJECT secret", "OBJECT ENCODING secret",
		"PUBSUB CHANNELS", "PUBSUB NUMPAT", "PUBLISH " + n + ":c x", "PUBLISH c x", "SPUBLISH c x", "ACL LIST", "ACL SETUSER x on nopass ~* +@all", "CONFIG GET *", "CONFIG SET requirepass x",
		"MIGRATE 127.0.0.1 1 mine " + n + " 10", "REPLICAOF 127.0.0.1 1", "FUNCTION LOAD x", "SCRIPT FLUSH", "SHUTDOWN NOSAVE", "SAVE", "CLUSTER RESET", "LATENCY DOCTOR", "MEMORY STATS", "SLOWLOG GET",
		"RESET", "AUTH default " + rolePassword, "AUTH " + other.route.Role + " wrong", "CLIENT KILL TYPE normal", "CLIENT PAUSE 1000", "WAIT 0 0",
	}
	for _, call := range []string{"'SELECT','" + n + "'", "'MOVE','mine','" + n + "'", "'COPY','mine','taken','DB','" + n + "'", "'SWAPDB','0','" + n + "'", "'FLUSHALL'",
		"'PUBLISH','" + n + ":c','x'", "'PUBLISH','c','x'", "'CONFIG','GET','*'", "'GET','secret'", "'KEYS','*'", "'ACL','LIST'", "'INFO'"} {
		attacks = append(attacks, "EVAL return(redis.call("+call+")) 0")
	}
	for name, connect := range map[string]func() *client{
		"through the proxy": func() *client { return own.connect(t) },
		"at the server":     func() *client { return own.direct(t) },
	} {
		for _, attack := range attacks {
			own.admin(t).must("MSET", "mine", "1", "other", "2")
			own.admin(t).must("RPUSH", "mylist", "a")
			c := connect()
			got := c.do(strings.Fields(attack)...)
			if strings.Contains(got, secret) || strings.Contains(got, "secret") && !strings.Contains(attack, "secret") || strings.Contains(got, other.route.Role) {
				t.Errorf("%s: %s: got %q", name, attack, got)
			}
			// Where it led somewhere, the next command shows it.
			if got := c.do("GET", "secret"); got != "$-1\r\n" && !strings.HasPrefix(got, "-NOAUTH") && !strings.HasPrefix(got, "-NOPERM") {
				t.Errorf("%s: after %s: got %q", name, attack, got)
			}
		}
	}
	victim.want("$19\r\n"+secret+"\r\n", "GET", "secret")
	victim.want(":2\r\n", "DBSIZE")
	other.connect(t).must("PUBLISH", "end", "x")
	for {
		got := listener.read()
		if strings.Contains(got, "\r\nend\r\n") {
			break
		}
		if !strings.Contains(got, "__key") {
			t.Errorf("the other workspace heard %q", got)
		}
	}
}
