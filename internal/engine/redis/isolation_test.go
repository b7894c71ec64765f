package redis_test

import (
	"slices"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// TestAUserReachesNoOtherDatabase tries each way that there is from database 17
// to database 18, without the proxy in between.
func TestAUserReachesNoOtherDatabase(t *testing.T) {
	e := newEngine(t, server)
	mine, other := created(t, e, 17), created(t, e, 18)
	owner := administrator(t, server, 18)
	must(t, owner.Set(t.Context(), "theirs", "secret", 0).Err())
	must(t, owner.SAdd(t.Context(), "list", "a", "b").Err())

	script := func(call string) []string { return []string{"EVAL", "return redis.call(" + call + ")", "0"} }
	for _, try := range [][]string{
		{"SELECT", "18"}, {"SELECT", "0"}, {"SELECT", "17"},
		{"SWAPDB", "17", "18"}, {"MOVE", "own", "18"},
		{"COPY", "own", "copied", "DB", "18"}, {"COPY", "own", "copied"},
		{"FLUSHALL"}, {"MIGRATE", "127.0.0.1", "6379", "own", "18", "100"},
		{"INFO"}, {"INFO", "keyspace"}, {"INFO", "commandstats"},
		{"CLIENT", "LIST"}, {"CLIENT", "KILL", "TYPE", "normal"}, {"CLIENT", "KILL", "USER", other.Role},
		{"CLIENT", "UNBLOCK", "1"}, {"CLIENT", "PAUSE", "1"}, {"CLIENT", "NO-EVICT", "on"},
		{"PUBSUB", "CHANNELS"}, {"PUBSUB", "NUMSUB", "18:news"}, {"PUBSUB", "NUMPAT"}, {"PUBSUB", "SHARDCHANNELS"},
		{"PUBLISH", "18:news", "x"}, {"PUBLISH", "news", "x"}, {"SPUBLISH", "18:news", "x"},
		{"SUBSCRIBE", "18:news"}, {"PSUBSCRIBE", "*"}, {"PSUBSCRIBE", "1?:*"}, {"SSUBSCRIBE", "18:news"},
		{"SUBSCRIBE", "__keyspace@18__:theirs"}, {"PSUBSCRIBE", "__key*__:*"}, {"SUBSCRIBE", "__redis__:invalidate"},
		{"CLIENT", "TRACKING", "ON"}, {"CLIENT", "TRACKING", "ON", "BCAST"},
		{"MONITOR"}, {"DEBUG", "OBJECT", "own"}, {"DEBUG", "SLEEP", "0"},
		{"CONFIG", "GET", "*"}, {"CONFIG", "SET", "dir", "/"}, {"SAVE"}, {"BGSAVE"}, {"BGREWRITEAOF"}, {"SHUTDOWN"}, {"LASTSAVE"},
		{"REPLICAOF", "NO", "ONE"}, {"SLAVEOF", "NO", "ONE"}, {"PSYNC", "?", "-1"}, {"SYNC"}, {"REPLCONF", "listening-port", "1"}, {"ROLE"}, {"FAILOVER"},
		{"ACL", "LIST"}, {"ACL", "USERS"}, {"ACL", "GETUSER", other.Role}, {"ACL", "SETUSER", mine.Role, "allchannels"}, {"ACL", "DELUSER", other.Role}, {"ACL", "LOG"}, {"ACL", "SAVE"}, {"ACL", "LOAD"},
		{"MODULE", "LIST"}, {"MODULE", "LOAD", "/x.so"}, {"CLUSTER", "INFO"}, {"CLUSTER", "SLOTS"}, {"LATENCY", "LATEST"}, {"SLOWLOG", "GET"},
		{"MEMORY", "STATS"}, {"MEMORY", "DOCTOR"}, {"MEMORY", "PURGE"}, {"MEMORY", "MALLOC-STATS"},
		{"FUNCTION", "LIST"}, {"FUNCTION", "LOAD", "#!lua name=x\nredis.register_function('x', function() return 1 end)"}, {"FUNCTION", "FLUSH"}, {"FUNCTION", "KILL"}, {"FCALL", "x", "0"},
		{"SCRIPT", "FLUSH"}, {"SCRIPT", "KILL"}, {"SCRIPT", "DEBUG", "NO"},
		{"ASKING"}, {"READONLY"}, {"READWRITE"},
		script("'SELECT', 18"), script("'SWAPDB', 17, 18"), script("'MOVE', 'own', 18"), script("'COPY', 'own', 'copied', 'DB', 18"),
		script("'FLUSHALL'"), script("'INFO'"), script("'CONFIG', 'GET', '*'"), script("'PUBSUB', 'CHANNELS'"),
		script("'PUBLISH', '18:news', 'x'"), script("'SPUBLISH', '18:news', 'x'"), script("'MEMORY', 'STATS'"), script("'ACL', 'LIST'"),
		{"EVAL_RO", "return redis.call('SELECT', 18)", "0"},
		{"AUTH", other.Role, "guess"}, {"AUTH", "default", ""}, {"HELLO", "2", "AUTH", other.Role, "guess"},
	} {
		t.Run(strings.Join(try, " "), func(t *testing.T) {
			conn := member(t, server, mine) // some of these would leave it changed
			must(t, conn.Set(t.Context(), "own", "1", 0).Err())
			got := do(t, conn, try...)
			refused := slices.ContainsFunc([]string{
				"NOPERM", "WRONGPASS", "The user executing the script can't", "ACL failure in script",
				"not allowed from script", "command not allowed. If the enable-", // before the user is looked at
			}, func(part string) bool { return strings.Contains(got, part) })
			if !refused {
				t.Errorf("got %q, want a refusal", got)
			}
		})
	}
	equal(t, "keys of the other", owner.DBSize(t.Context()).Val(), 2)
	equal(t, "value of the other", owner.Get(t.Context(), "theirs").Val(), "secret")
}

// TestAUserDoesWhatStaysInItsDatabase is the other half: the walls leave a
// whole database to work in.
func TestAUserDoesWhatStaysInItsDatabase(t *testing.T) {
	e := newEngine(t, server)
	mine, other := created(t, e, 17), created(t, e, 18)
	owner := administrator(t, server, 18)
	must(t, owner.Set(t.Context(), "theirs", "secret", 0).Err())
	conn := member(t, server, mine)
	for _, step := range []struct {
		command string
		want    string
	}{
		{"SET a 1", "OK"}, {"GET theirs", "(nil)"}, {"KEYS *", "[a]"}, {"DBSIZE", "1"}, {"RANDOMKEY", "a"}, {"SCAN 0", "[0 [a]]"},
		{"RPUSH l 3 1 2", "3"}, {"SORT l", "[1 2 3]"}, {"SORT_RO l", "[1 2 3]"}, {"SORT l BY nosort GET theirs GET #", "[<nil> 3 <nil> 1 <nil> 2]"},
		{"OBJECT ENCODING a", "int"}, {"MEMORY USAGE nokey", "(nil)"},
		{"XADD s 1-1 f v", "1-1"}, {"XGROUP CREATE s g 0", "OK"}, {"XINFO GROUPS nokey", "ERR no such key"},
		{"MULTI", "OK"}, {"INCR a", "QUEUED"}, {"EXEC", "[2]"}, {"WATCH a", "OK"}, {"UNWATCH", "OK"},
		{"EVAL return(redis.call('GET','theirs')) 0", "(nil)"},
		{"EVAL return(redis.call('PUBLISH','17:news','x')) 0", "0"}, {"PUBLISH 17:news x", "0"}, {"SPUBLISH 17:news x", "0"},
		{"SCRIPT LOAD return(7)", "be2a20e8b1ee53a2ca6bd5a1ac3dc1a9f3a0a4f0"},
		{"ACL WHOAMI", mine.Role}, {"CLIENT SETNAME me", "OK"}, {"CLIENT GETNAME", "me"},
		{"ECHO hi", "hi"}, {"PING", "PONG"}, {"WAIT 0 1", "0"},
		{"FLUSHDB", "OK"}, {"DBSIZE", "0"},
	} {
		got := do(t, conn, strings.Fields(step.command)...)
		if strings.HasPrefix(step.command, "SCRIPT LOAD") {
			equal(t, step.command, len(got), 40)
			continue
		}
		equal(t, step.command, got, step.want)
	}
	equal(t, "the other's keys after FLUSHDB", owner.DBSize(t.Context()).Val(), 1)

	// RESTORE checks its payload, which a client may have made up.
	must(t, conn.Set(t.Context(), "a", "1", 0).Err())
	payload := conn.Dump(t.Context(), "a").Val()
	must(t, conn.Restore(t.Context(), "b", 0, payload).Err())
	contains(t, "RESTORE of nonsense", do(t, conn, "RESTORE", "c", "0", "nonsense"), "payload")

	// Subscribing to what is its own.
	for _, words := range [][]string{{"SUBSCRIBE", "17:news"}, {"PSUBSCRIBE", "17:*"}, {"SSUBSCRIBE", "17:s"}, {"SUBSCRIBE", "__keyspace@17__:a"}} {
		if got := do(t, member(t, server, mine), words...); strings.Contains(got, "NOPERM") {
			t.Errorf("%v: %s", words, got)
		}
	}
	_ = other
}

// TestResetLeadsNowhere: Redis always allows RESET, which goes back to the
// default user and database 0.
func TestResetLeadsNowhere(t *testing.T) {
	e := newEngine(t, server)
	conn := member(t, server, created(t, e, 17))
	equal(t, "RESET", do(t, conn, "RESET"), "RESET")
	for _, words := range [][]string{{"SELECT", "18"}, {"KEYS", "*"}, {"ACL", "WHOAMI"}} {
		contains(t, strings.Join(words, " "), do(t, conn, words...), "NOAUTH")
	}
}

// TestDatabaseZeroIsNobodys: whoever logs in without the two other steps of a
// workspace's connection finds nothing there.
func TestDatabaseZeroIsNobodys(t *testing.T) {
	e := newEngine(t, server)
	mine := created(t, e, 17)
	must(t, member(t, server, mine).Set(t.Context(), "a", "1", 0).Err())
	c := goredis.NewClient(&goredis.Options{Network: "unix", Addr: server.Socket(), Username: mine.Role, Password: mine.Password, DisableIdentity: true})
	t.Cleanup(func() { c.Close() })
	if limitsDatabases(t, mine) {
		contains(t, "DBSIZE", do(t, c, "DBSIZE"), "NOPERM")
	} else {
		equal(t, "DBSIZE", do(t, c, "DBSIZE"), "0")
	}
	contains(t, "SELECT", do(t, c, "SELECT", "17"), "NOPERM")
}

// limitsDatabases says whether the server holds users to databases, as Valkey
// does from 9.1 on.
func limitsDatabases(t *testing.T, to workspace.Target) bool {
	t.Helper()
	return strings.Contains(do(t, administrator(t, server, 0), "ACL", "GETUSER", to.Role), "databases")
}

// TestEachCommandIsJudged holds the rules to the commands of the server: what a
// workspace's user may run is what the test says, command by command.
func TestEachCommandIsJudged(t *testing.T) {
	e := newEngine(t, server)
	mine := created(t, e, 17)
	admin := administrator(t, server, 0)
	if limitsDatabases(t, mine) { // judged are the rules for commands alone
		must(t, admin.Do(t.Context(), "ACL", "SETUSER", mine.Role, "alldbs").Err())
	}
	names, err := admin.CommandList(t.Context(), nil).Result()
	must(t, err)
	details, err := admin.Command(t.Context()).Result()
	must(t, err)
	// Allowed beside the commands that have keys: the connection's own, its
	// transactions and scripts, and what stays in one database.
	keyless := strings.Fields(`acl|whoami acl|cat acl|genpass auth client|caching client|getname client|getredir client|id client|info
		client|no-touch client|reply client|setinfo client|setname client|trackinginfo
		command command|count command|docs command|getkeys command|getkeysandflags command|help command|info command|list
		dbsize discard echo eval eval_ro evalsha evalsha_ro exec flushdb hello keys lolwut memory|usage multi object|help ping psubscribe publish punsubscribe
		quit randomkey reset scan script|exists script|load sort sort_ro spublish ssubscribe subscribe sunsubscribe time unsubscribe unwatch wait waitaof xgroup|help xinfo|help`)
	hasKeys := func(name string) bool {
		top, _, _ := strings.Cut(name, "|")
		if d := details[name]; d != nil {
			return d.FirstKeyPos != 0 || slices.Contains(d.Flags, "movablekeys")
		}
		return top == "object" || top == "xgroup" || top == "xinfo"
	}
	denied := strings.Fields("clusterscan copy move migrate restore-asking fcall fcall_ro pfdebug pfselftest")
	for _, name := range names {
		reply := do(t, admin, append([]string{"ACL", "DRYRUN", mine.Role}, dryRun(t, admin, name)...)...)
		allowed := !strings.Contains(reply, "has no permissions to run")
		want := slices.Contains(keyless, name) || hasKeys(name) && !slices.Contains(denied, name)
		if isContainer(name, names) {
			continue // its subcommands are judged
		}
		if allowed != want {
			t.Errorf("%s: allowed %v, want %v (%s)", name, allowed, want, reply)
		}
	}
}

// dryRun is a call of the command with as many arguments as it needs.
func dryRun(t *testing.T, admin *goredis.Client, name string) []string {
	t.Helper()
	info, err := admin.Do(t.Context(), "COMMAND", "INFO", name).Slice()
	must(t, err)
	arity := info[0].([]any)[1].(int64)
	words := strings.Split(name, "|")
	for len(words) < int(max(arity, -arity)) {
		words = append(words, "1")
	}
	return words
}

func isContainer(name string, names []string) bool {
	return !strings.Contains(name, "|") && name != "command" &&
		slices.ContainsFunc(names, func(other string) bool { return strings.HasPrefix(other, name+"|") })
}
