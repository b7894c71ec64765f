package redis

import "strings"

// action is what the relay does with a command.
type action uint8

const (
	pass    action = iota + 1 // goes to the server as it is
	refuse                    // the client gets an error in its place
	subs                      // decided by the second word
	special                   // decided by decide, which looks at arguments
)

// creation is where a command names the keys that it may make.
type creation uint8

const (
	createsNone    creation = iota
	createsFirst            // argument 1
	createsSecond           // argument 2
	createsPairs            // arguments 1, 3, 5 …
	createsCounted          // arguments 2, 4, 6 …, as many as argument 1 says
	createsOption           // after STORE or STOREDIST, from argument options on
	createsGroup            // argument 2 of XGROUP CREATE … MKSTREAM
)

// command is one row of the table.
type command struct {
	name    string
	act     action
	text    string // of refuse: the reply without its line end
	creates creation
	options int // where those of createsOption begin
	// moves says that the command takes away a key for the one it makes, so
	// that max_keys always has a place for it.
	moves bool
	// updates says that the command makes no key that does not exist.
	updates bool
	// timed says that the command itself gives its key an expiry.
	timed bool
	// blocks says that the command may wait for others, outside of MULTI.
	blocks bool
	// noMulti refuses it inside MULTI, where its reply could not be made right.
	noMulti bool
	sub     map[string]*command
}

// commands is the table by name, in lower case.
type commands map[string]*command

// The rows that need no more than a name. What is not here is in newCommands.
const (
	// plainCommands neither make keys nor reach outside of the database.
	plainCommands = `bitcount bitfield_ro bitpos dbsize del delex delifeq digest dump echo
		exists expire expireat expiretime geodist geohash geopos georadius_ro
		georadiusbymember_ro geosearch get getbit getdel getex getrange hdel hexists hexpire hexpireat
		hexpiretime hget hgetall hgetdel hgetex hkeys hlen hmget
		hpersist hpexpire hpexpireat hpexpiretime hpttl hrandfield hstrlen httl hvals lcs lindex llen lmpop lolwut lpop lpos lpushx lrange lrem lset ltrim
		linsert mget persist pexpire pexpireat pexpiretime pfcount ping pttl randomkey rpop
		rpushx scard sdiff sinter sintercard sismember smembers smismember sort_ro spop srandmember srem
		strlen substr sunion time touch ttl type unlink xack xackdel xautoclaim xcfgset xclaim xdel xdelex xlen
		xpending xrange xrevrange xsetid xtrim zcard zcount zdiff zinter zintercard zlexcount zmpop zmscore
		zpopmax zpopmin zrandmember zrange zrangebylex zrangebyscore zrank zrem zremrangebylex zremrangebyrank
		zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscore zunion`
	// waitingCommands are plain and may wait for others.
	waitingCommands = `blmpop blpop brpop bzmpop bzpopmax bzpopmin wait waitaof xread xreadgroup`
	// firstCommands may make the key that is their first argument.
	firstCommands = `append bitfield decr decrby geoadd geosearchstore getset hincrby hincrbyfloat hmset hset hsetex hsetnx
		incr incrby incrbyfloat lpush pfadd pfmerge restore rpush sadd sdiffstore setbit setnx setrange
		sinterstore sunionstore xadd zadd zdiffstore zincrby zinterstore zrangestore zunionstore`
	// serverCommands concern the whole server.
	serverCommands = `bgrewriteaof bgsave debug failover lastsave migrate module monitor commandlog pfdebug pfselftest psync
		replconf replicaof restore-asking save shutdown slaveof sync acl config latency slowlog`
)

const (
	errOtherDatabase = "ERR DB index is out of range: a workspace is database 0 and no other"
	errFunctions     = "NOPERM functions are not available in a workspace: their libraries belong to the whole server; use EVAL"
	errScriptCache   = "NOPERM not available in a workspace: scripts are kept for the whole server"
	errNoCluster     = "ERR This instance has cluster support disabled"
	errOwnSession    = "NOPERM not available in a workspace: a client reaches its own session only"
	errUnjudged      = "NOPERM not available in a workspace: the proxy does not know what this command reaches"
)

// wholeServer is the refusal of a command of the server's own administration.
func wholeServer(name string) string {
	return "NOPERM '" + name + "' is not available in a workspace: it concerns the whole server"
}

// newCommands makes the table.
func newCommands() commands {
	t := make(commands)
	t.add(plainCommands, command{act: pass})
	t.add(waitingCommands, command{act: pass, blocks: true})
	t.add(firstCommands, command{act: pass, creates: createsFirst})
	t.add("setex psetex", command{act: pass, creates: createsFirst, timed: true})
	t.add("bitop lmove rpoplpush smove", command{act: pass, creates: createsSecond})
	t.add("blmove brpoplpush", command{act: pass, creates: createsSecond, blocks: true})
	t.add("rename renamenx", command{act: pass, creates: createsSecond, moves: true})
	t.add("mset msetnx", command{act: pass, creates: createsPairs})
	t.add("msetex", command{act: pass, creates: createsCounted})
	t.add("eval evalsha eval_ro evalsha_ro", command{act: special})
	t.add("sort", command{act: pass, creates: createsOption, options: 2})
	t.add("georadius", command{act: pass, creates: createsOption, options: 6})
	t.add("georadiusbymember", command{act: pass, creates: createsOption, options: 5})
	t.add("keys scan hscan sscan zscan", command{act: special})
	t.add("set copy auth hello quit reset select multi exec discard watch unwatch flushall flushdb info role publish spublish", command{act: special})
	t.add("subscribe ssubscribe psubscribe unsubscribe sunsubscribe punsubscribe", command{act: special, noMulti: true})
	t["info"].noMulti, t["hello"].noMulti, t["auth"].noMulti, t["role"].noMulti = true, true, true, true
	for name := range strings.FieldsSeq(serverCommands) {
		t.add(name, command{act: refuse, text: wholeServer(name)})
	}
	t.add("move", command{act: refuse, text: errOtherDatabase})
	t.add("swapdb", command{act: refuse, text: errOtherDatabase})
	t.add("function fcall fcall_ro", command{act: refuse, text: errFunctions})
	t.add("cluster clusterscan asking readonly readwrite", command{act: refuse, text: errNoCluster})
	t.addSubs("acl", refuse, wholeServer("acl"), "whoami:special", "help cat genpass:pass")
	t.addSubs("client", refuse, errOwnSession,
		"getname help id setname:pass",
		"caching getredir info kill list no-touch reply setinfo tracking trackinginfo unblock:special")
	t["client"].sub["kill"].noMulti, t["client"].sub["unblock"].noMulti = true, true
	t.addSubs("command", pass, "", "")
	t.addSubs("commandlog", refuse, wholeServer("commandlog"), "help:pass")
	t.addSubs("config", refuse, wholeServer("config"), "help:pass")
	t.addSubs("latency", refuse, wholeServer("latency"), "help:pass")
	t.addSubs("memory", refuse, wholeServer("memory"), "help usage:pass")
	t.addSubs("module", refuse, wholeServer("module"), "help:pass")
	t.addSubs("object", pass, "", "")
	t.addSubs("pubsub", refuse, errUnjudged, "help:pass", "channels numpat numsub shardchannels shardnumsub:special")
	t.addSubs("script", refuse, errScriptCache, "help:pass", "exists load:special")
	t.addSubs("slowlog", refuse, wholeServer("slowlog"), "help:pass")
	t.addSubs("xgroup", pass, "", "")
	t.addSubs("xinfo", pass, "", "")
	t["xgroup"].sub["create"] = &command{name: "create", act: pass, creates: createsGroup}
	for _, sub := range t["pubsub"].sub {
		sub.noMulti = sub.act == special
	}
	return t
}

// add puts a row for each of names.
func (t commands) add(names string, row command) {
	for name := range strings.FieldsSeq(names) {
		r := row
		r.name = name
		t[name] = &r
	}
}

// addSubs makes name one that its second word decides: other is what happens
// to words that rows ("a b:pass", "c:special") don't have.
func (t commands) addSubs(name string, other action, text string, rows ...string) {
	c := &command{name: name, act: subs, text: text, sub: make(map[string]*command)}
	for _, row := range rows {
		names, act, _ := strings.Cut(row, ":")
		for sub := range strings.FieldsSeq(names) {
			c.sub[sub] = &command{name: sub, act: map[string]action{"pass": pass, "special": special}[act]}
		}
	}
	c.sub[""] = &command{name: name, act: other, text: text}
	t[name] = c
}
