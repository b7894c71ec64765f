package redis

import (
	"bufio"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tidwall/redcon"
)

// serverAsker asks the server as its administrator.
func serverAsker(t *testing.T) *asker {
	t.Helper()
	c := adminClient(t, "0")
	return &asker{c.conn, bufio.NewReader(c.conn)}
}

func (a *asker) must(t *testing.T, args ...string) any {
	t.Helper()
	answers, err := a.ask(appendCommand(nil, args...), 1)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return answers[0]
}

// serverCommand is a command or subcommand of the server, as COMMAND INFO has
// it.
type serverCommand struct {
	name, sub  string
	flags      []string
	categories []string
	first      int64
}

func words(v any) []string {
	var all []string
	items, _ := v.([]any)
	for _, item := range items {
		if s, ok := item.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// listed are all commands of the server, from COMMAND, which COMMAND LIST and
// COMMAND DOCS are held to.
func listed(t *testing.T) []serverCommand {
	t.Helper()
	a := serverAsker(t)
	var all []serverCommand
	names := make(map[string]bool)
	add := func(row []any) {
		name, sub, _ := strings.Cut(strings.ToLower(row[0].(string)), "|")
		first, _ := row[3].(int64)
		all = append(all, serverCommand{name, sub, words(row[2]), words(row[6]), first})
		names[strings.ToLower(row[0].(string))] = true
	}
	for _, v := range a.must(t, "COMMAND").([]any) {
		row := v.([]any)
		add(row)
		subs, _ := row[9].([]any)
		for _, sub := range subs {
			add(sub.([]any))
		}
	}
	for _, name := range words(a.must(t, "COMMAND", "LIST")) {
		if !names[name] {
			t.Errorf("COMMAND LIST has %q, COMMAND has not", name)
		}
	}
	docs := a.must(t, "COMMAND", "DOCS").([]any)
	for i := 0; i < len(docs); i += 2 {
		if name := docs[i].(string); !names[name] {
			t.Errorf("COMMAND DOCS has %q, COMMAND has not", name)
		}
	}
	if len(all) < 300 {
		t.Fatalf("the server has %d commands", len(all))
	}
	return all
}

// rowOf is the row of the table for a command of the server.
func rowOf(table commands, c serverCommand) *command {
	row := table[c.name]
	if row == nil || row.act != subs || c.sub == "" {
		return row
	}
	if sub := row.sub[c.sub]; sub != nil {
		return sub
	}
	return row.sub[""]
}

// TestEveryCommandIsDecided goes over all commands of the server: each has a
// row, and no row gives away what the command's flags say.
func TestEveryCommandIsDecided(t *testing.T) {
	table := newCommands()
	seen := make(map[string]bool)
	// Decided by hand, against the flags, each for its reason.
	harmless := []string{"keys", "sort", "sort_ro", "restore", "flushdb", // in a database of one's own
		"flushall", "info", "role", "client|list", "client|kill", "client|unblock"} // rewritten or answered by the proxy
	makesNoKeys := []string{"linsert", "lpushx", "rpushx", "lset", "xsetid", "xgroup|createconsumer"} // need the key that they write
	for _, c := range listed(t) {
		full := strings.TrimSuffix(c.name+"|"+c.sub, "|")
		row := rowOf(table, c)
		seen[full] = true
		if row == nil {
			t.Errorf("%s: no row", full)
			continue
		}
		if row.act == refuse {
			if !strings.Contains(row.text, " ") {
				t.Errorf("%s: refused with %q", full, row.text)
			}
			continue
		}
		if slices.Contains(c.flags, "admin") || slices.Contains(c.categories, "@dangerous") {
			if !slices.Contains(harmless, full) {
				t.Errorf("%s: let through, but its flags are %v %v", full, c.flags, c.categories)
			}
		}
		writes := slices.Contains(c.flags, "write") && slices.Contains(c.flags, "denyoom")
		if writes && row.creates == createsNone && row.act != special && !slices.Contains(makesNoKeys, full) {
			t.Errorf("%s: may make keys, but its row has none", full)
		}
		// Redis 7.0 has the flag not for WAIT, which waits all the same.
		if slices.Contains(c.flags, "blocking") != row.blocks && full != "wait" {
			t.Errorf("%s: blocks is %v", full, row.blocks)
		}
	}
	// Of newer servers than Redis 7.0: of Valkey 9, and of Redis 8.
	newer := strings.Fields(`clusterscan commandlog delex delifeq digest hexpire hexpireat hexpiretime hgetdel hgetex hpersist
		hpexpire hpexpireat hpexpiretime hpttl hsetex httl msetex waitaof xackdel xcfgset xdelex`)
	for name := range table {
		if !seen[name] && !slices.Contains(newer, name) {
			t.Errorf("the table has %q, the server has not", name)
		}
	}
}

// TestEveryCommandDoesAsItsRow sends every command without arguments: what is
// refused gets its text, what passes the server's own answer.
func TestEveryCommandDoesAsItsRow(t *testing.T) {
	w := newWorld(t)
	through, direct := w.workspace(t, workspace.Settings{}), w.workspace(t, workspace.Settings{})
	table := newCommands()
	for _, c := range listed(t) {
		row := rowOf(table, c)
		if row == nil || row.act == special || row.act == subs {
			continue
		}
		args := []string{c.name}
		if c.sub != "" {
			args = append(args, c.sub)
		}
		if row.act == refuse {
			through.connect(t).want("-"+row.text+"\r\n", args...)
			continue
		}
		if slices.Contains([]string{"time", "lolwut", "command", "client|id", "client|info", "acl|genpass", "acl|cat"}, strings.Join(args, "|")) || c.name == "command" {
			continue // of the moment, or in no order
		}
		own, others := through.connect(t), direct.direct(t).do(args...)
		own.want(strings.ReplaceAll(others, direct.route.Role, through.route.Role), args...)
	}
}

func TestCommandsThatTheTableLacksAreJudged(t *testing.T) {
	row := func(first, last int64, flags, categories string) any {
		list := func(s string) (all []any) {
			for word := range strings.FieldsSeq(s) {
				all = append(all, word)
			}
			return all
		}
		return []any{"new", int64(-2), list(flags), first, last, int64(1), list(categories)}
	}
	for name, c := range map[string]struct {
		info    any
		act     action
		creates creation
	}{
		"unknown to the server": {nil, pass, createsNone},
		"reads a key":           {row(1, 1, "readonly fast", "@read"), pass, createsNone},
		"changes a key":         {row(1, 1, "write", "@write"), pass, createsNone},
		"makes a key":           {row(1, 1, "write denyoom", "@write"), pass, createsFirst},
		"makes another key":     {row(1, 2, "write denyoom", "@write"), refuse, createsNone},
		"names no key":          {row(0, 0, "readonly", "@read"), refuse, createsNone},
		"hides its keys":        {row(1, 1, "readonly movablekeys", "@read"), refuse, createsNone},
		"administrates":         {row(1, 1, "write admin", "@write"), refuse, createsNone},
		"is dangerous":          {row(1, 1, "readonly", "@read @dangerous"), refuse, createsNone},
		"publishes":             {row(1, 1, "readonly pubsub", "@read"), refuse, createsNone},
		"is cut short":          {[]any{"new"}, refuse, createsNone},
	} {
		got := judge("new", c.info)
		if got.act != c.act || got.creates != c.creates {
			t.Errorf("a command that %s: got %v, %v, want %v, %v", name, got.act, got.creates, c.act, c.creates)
		}
	}
}

func TestACommandThatTheTableLacks(t *testing.T) {
	w := newWorld(t)
	delete(w.protocol.commands, "strlen")
	delete(w.protocol.commands, "append")
	delete(w.protocol.commands, "lolwut")
	s := w.workspace(t, workspace.Settings{DefaultTTL: 100})
	c := s.connect(t)
	c.want(":1\r\n", "APPEND", "k", "v")
	c.wantTTL(":100\r\n", "k")
	c.want(":1\r\n", "strlen", "k")
	c.want("-"+errUnjudged+"\r\n", "LOLWUT")
	c.want("-ERR unknown command 'NOSUCH', with args beginning with: 'k' \r\n", "NOSUCH", "k")
	// A server that is replaced by a newer one may know it, and it make keys.
	w.protocol.mu.Lock()
	if known := slices.Collect(maps.Keys(w.protocol.unknown)); slices.ContainsFunc(known, func(n judgedName) bool { return n.name == "nosuch" }) {
		t.Errorf("what the server did not know is remembered: %v", known)
	}
	w.protocol.mu.Unlock()
	long := strings.Repeat("x", 40)
	if got := c.do(long); !strings.HasPrefix(got, "-ERR unknown command '"+long) {
		t.Errorf("a long name: got %q", got)
	}
}

// TestRewrittenCommands are those whose row says special.
func TestRewrittenCommands(t *testing.T) {
	w := newWorld(t)
	s, other := w.workspace(t, workspace.Settings{}), w.workspace(t, workspace.Settings{})
	c := s.connect(t)
	for _, step := range []struct{ reply, command string }{
		{"+OK", "SELECT 0"}, {"-" + errOtherDatabase, "SELECT 1"}, {"-" + errOtherDatabase, "SELECT 00"},
		{"-ERR wrong number of arguments for 'select' command", "SELECT"},
		{"-" + errOtherDatabase, "MOVE a 1"}, {"-" + errOtherDatabase, "SWAPDB 0 1"},
		{"+OK", "SET a 1"}, {":1", "COPY a b DB 0"}, {"-" + errOtherDatabase, "COPY a b DB 1"}, {"-ERR syntax error", "COPY a b DB"},
		{":0", "COPY a b"}, {":1", "COPY a b REPLACE"}, {"-ERR wrong number of arguments for 'copy' command", "COPY a"},
		{"+OK", "AUTH " + s.live.Name + " " + testPassword}, {"-" + errAnotherUser, "AUTH " + other.live.Name + " " + testPassword},
		{"-" + errAnotherUser, "HELLO 3 AUTH " + other.live.Name + " " + testPassword},
		{errNoProto, "HELLO 4"}, {"-ERR Protocol version is not an integer or out of range", "HELLO x"}, {"-ERR Syntax error in HELLO option 'x'", "HELLO 2 x"},
		{strings.TrimSuffix(string(redcon.AppendBulkString(nil, s.live.Name)), "\r\n"), "ACL WHOAMI"}, {"*3\r\n$6\r\nmaster\r\n:0\r\n*0", "ROLE"},
		{"-" + errTrackingRedirect, "CLIENT TRACKING ON REDIRECT 1"}, {"+OK", "CLIENT TRACKING ON PREFIX a BCAST"}, {"+OK", "CLIENT TRACKING OFF"},
		{"-" + errOwnSession, "CLIENT NO-EVICT ON"}, {"-" + errOwnSession, "CLIENT PAUSE 10"},
		{"-" + errScriptCache, "SCRIPT FLUSH"}, {"-" + errScriptCache, "SCRIPT KILL"}, {"-" + errFunctions, "FUNCTION LIST"}, {"-" + errFunctions, "FCALL f 0"},
		{"+RESET", "RESET"}, {"+OK", "FLUSHALL"}, {":0", "DBSIZE"},
	} {
		c.want(step.reply+"\r\n", strings.Fields(step.command)...)
	}
	other.admin(t).must("SET", "k", "v")
	c.must("FLUSHALL")
	other.connect(t).want("$1\r\nv\r\n", "GET", "k")
	// A refusal inside of MULTI fails the transaction.
	c.must("MULTI")
	c.want("-"+wholeServer("monitor")+"\r\n", "MONITOR")
	if got := c.do("EXEC"); !strings.HasPrefix(got, "-EXECABORT") {
		t.Errorf("EXEC after a refusal: got %q", got)
	}
	list := c.must("CLIENT", "LIST")
	for _, own := range []string{list, c.must("CLIENT", "INFO"), s.connect3(t).must("CLIENT", "LIST")} {
		if !strings.Contains(own, " db=0 ") {
			t.Errorf("the own session: got %q", own)
		}
	}
	if strings.Count(list, " addr=") != 1 || !strings.Contains(list, " user="+s.live.Name+" ") {
		t.Errorf("CLIENT LIST: got %q", list)
	}
}

func TestInfoTellsOfTheOwnDatabase(t *testing.T) {
	w := newWorld(t)
	s, other := w.workspace(t, workspace.Settings{MaxConnections: 7}), w.workspace(t, workspace.Settings{})
	other.connect(t)
	other.admin(t).must("MSET", "a", "1", "b", "2", "c", "3")
	c := s.connect(t)
	s.connect(t)
	c.must("SET", "k", "v")
	info := c.must("INFO")
	for _, line := range []string{"redis_version:7", "connected_clients:2\r", "maxclients:7\r", "rdb_bgsave_in_progress:", "maxmemory_policy:", "loading:0", "role:master", "cluster_enabled:0", "db0:keys=1,"} {
		if !strings.Contains(info, "\r\n"+line) {
			t.Errorf("INFO lacks %q:\n%s", line, info)
		}
	}
	for _, line := range []string{"keys=3", "used_memory", "config_file", "db" + other.route.Database, "run_id"} {
		if strings.Contains(info, line) {
			t.Errorf("INFO tells %q", line)
		}
	}
	if got := c.must("INFO", "keyspace"); !strings.Contains(got, "# Keyspace\r\ndb0:keys=1") || strings.Contains(got, "redis_version") {
		t.Errorf("INFO keyspace: got %q", got)
	}
	if got := s.connect3(t).do("INFO", "server"); !strings.HasPrefix(got, "=") || !strings.Contains(got, "\r\ntxt:# Server") {
		t.Errorf("INFO in RESP3: got %q", got)
	}
}

func TestRepliesTurnedOff(t *testing.T) {
	s := newWorld(t).workspace(t, workspace.Settings{DefaultTTL: 10})
	c := s.connect(t)
	send := func(lines string) { c.send([]byte(strings.ReplaceAll(lines, "\n", "\r\n"))) }
	send("CLIENT REPLY OFF\nSET a 1\nLPUSH l 1\nMONITOR\nGET a\nMULTI\nHSET h f v\nEXEC\nCLIENT REPLY ON\n")
	if got := c.read(); got != "+OK\r\n" {
		t.Errorf("after OFF: got %q", got)
	}
	c.wantTTL(":10\r\n", "h")
	send("CLIENT REPLY SKIP\nLPUSH l 2\nLLEN l\nCLIENT REPLY SKIP\nMONITOR\nPING\n")
	if got := c.read() + c.read(); got != ":2\r\n+PONG\r\n" {
		t.Errorf("after SKIP: got %q", got)
	}
}

// TestRepliesAreTurnedOffAsDirectly: what is told whether or not replies are off,
// and what is not.
func TestRepliesAreTurnedOffAsDirectly(t *testing.T) {
	for _, protocol := range []string{"2", "3"} {
		for _, script := range []string{
			"CLIENT REPLY OFF\nSUBSCRIBE a\nUNSUBSCRIBE\nPSUBSCRIBE a*\nPUNSUBSCRIBE a*\nSUBSCRIBE\nSSUBSCRIBE a\nSUNSUBSCRIBE\nGET k\nCLIENT REPLY ON",
			"CLIENT REPLY SKIP\nSUBSCRIBE a\nPING\nUNSUBSCRIBE a\nPING",
			"SET k 1\nWATCH k\nSET k 2\nCLIENT REPLY OFF\nMULTI\nAPPEND k 1\nEXEC\nCLIENT REPLY ON\nGET k",
			"CLIENT REPLY OFF\nRESET", "CLIENT REPLY SKIP\nRESET",
		} {
			w := newWorld(t)
			a, b := w.workspace(t, workspace.Settings{DefaultTTL: 100}).connect(t), w.workspace(t, workspace.Settings{}).admin(t)
			lines := []byte(strings.ReplaceAll(script+"\nECHO end\nQUIT\n", "\n", "\r\n"))
			for _, c := range []*client{a, b} {
				c.must("HELLO", protocol)
				c.send(lines)
			}
			got, want := a.ended(), b.ended()
			if strings.Contains(script, "RESET") { // directly it ends the login
				want, _, _ = strings.Cut(want, "-NOAUTH")
				want += "$3\r\nend\r\n+OK\r\n"
			}
			if got != want {
				t.Errorf("RESP%s, %q: got %q, want %q", protocol, script, got, want)
			}
		}
	}
	s := newWorld(t).workspace(t, workspace.Settings{})
	for _, how := range []string{"OFF", "SKIP"} { // of whom Redis says nothing either, but lets him wait
		c := s.connect(t)
		c.send([]byte("CLIENT REPLY " + how + "\r\nQUIT\r\n"))
		if got := c.ended(); got != "" {
			t.Errorf("CLIENT REPLY %s, QUIT: got %q", how, got)
		}
	}
}

// TestTheDocumentHasEveryCommand holds docs/redis.md to the rows that are not
// simply passed.
func TestTheDocumentHasEveryCommand(t *testing.T) {
	text, err := os.ReadFile("../../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.FieldsFunc(string(text), func(c rune) bool { return !(c >= 'A' && c <= 'Z' || c == '-' || c == '_') })
	for name, row := range newCommands() {
		if row.act == pass || strings.HasSuffix(name, "subscribe") {
			continue
		}
		if !slices.Contains(words, strings.ToUpper(name)) {
			t.Errorf("docs/redis.md does not say what happens to %s", strings.ToUpper(name))
		}
	}
}
