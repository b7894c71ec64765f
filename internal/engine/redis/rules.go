package redis

import (
	"context"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// command is a rule for one command, or one subcommand, of those that the
// server may have.
type command struct {
	name  string // as in COMMAND LIST: "flushdb", "client|id"
	allow bool
	why   string
}

// categories are what a workspace's user may do before exceptions.
var categories = []string{
	"-@all",
	"+@read", "+@write", "+@pubsub", "+@transaction", "+@scripting", "+@connection",
	"-@admin", "-@dangerous",
}

// exceptions is what the categories get wrong. AUTH, HELLO, QUIT and RESET are
// always allowed by Redis itself; RESET leaves a connection that is logged in as
// nobody, since Prepare sees to it that the default user needs a password.
func exceptions() []command {
	return []command{
		// Dangerous to a server of one's own, harmless in a database of one's own.
		{"keys", true, "lists its own database only"},
		{"flushdb", true, "empties its own database only"},
		{"sort", true, "reads and writes its own database only"},
		{"sort_ro", true, "reads its own database only"},
		{"restore", true, "writes its own database; the payload is checked (sanitize-payload)"},

		// In no category, and harmless.
		{"time", true, "the clock"},
		{"xgroup", true, "a key's consumer groups"},
		{"xinfo", true, "a key's stream"},
		{"object", true, "a key's encoding"},
		{"acl|whoami", true, "its own name"},
		{"acl|cat", true, "names of commands"},
		{"acl|genpass", true, "random digits"},

		// Ways into another database.
		{"select", false, "leads to any database"},
		{"swapdb", false, "exchanges databases"},
		{"move", false, "writes to any database"},
		{"copy", false, "writes to any database (DB n), from scripts too"},
		{"flushall", false, "empties all databases"},
		{"migrate", false, "connects to other servers"},
		{"restore-asking", false, "is for clusters"},

		// Views of what all databases share.
		{"info", false, "counts the keys of all databases"},
		{"memory", false, "tells the sizes of all databases"},
		{"memory|usage", true, "a key's size"},
		{"pubsub", false, "lists the channels of all workspaces"},
		{"client", false, "lists and ends the connections of all workspaces"},
		{"client|id", true, "its own connection"},
		{"client|info", true, "its own connection"},
		{"client|getname", true, "its own connection"},
		{"client|setname", true, "its own connection"},
		{"client|setinfo", true, "its own connection"},
		{"client|reply", true, "its own connection"},
		{"client|no-touch", true, "its own connection"},
		{"client|caching", true, "its own connection"},
		{"client|getredir", true, "its own connection"},
		{"client|trackinginfo", true, "its own connection"},
		// The proxy makes the invalidations of the database's notifications.
		{"client|tracking", false, "tells of keys by their names, whatever their database"},

		// What all databases share.
		{"function", false, "libraries belong to the server"},
		{"fcall", false, "libraries belong to the server"},
		{"fcall_ro", false, "libraries belong to the server"},
		{"script", false, "ends or flushes the scripts of all workspaces"},
		{"script|load", true, "a script is known by its own hash"},
		{"script|exists", true, "a script is known by its own hash"},
		{"cluster", false, "server administration"},
		{"clusterscan", false, "is for clusters"},
		{"asking", false, "is for clusters"},
		{"readonly", false, "is for clusters"},
		{"readwrite", false, "is for clusters"},
		{"reset", false, "has no effect on Redis 7, which always allows it"},
	}
}

// keyless are the commands without keys that @read and @write bring along and
// that stay in the own database. Others, of a newer server or a module, are
// denied: without a key there is nothing that says what they touch.
var keyless = []string{"randomkey", "dbsize", "scan", "lolwut", "keys", "flushdb"}

// unwriting is what a reader may not beyond what is in @write: it changes no key,
// and others hear or find it.
var unwriting = []string{"publish", "spublish", "script|load"}

// readRules makes the rules for the commands that the server has, since it
// refuses a rule for one that it does not know: of a workspace's user, and those
// that make a reader of it.
func readRules(ctx context.Context, server *goredis.Client) (rules, reader []string, err error) {
	names, err := server.CommandList(ctx, nil).Result()
	if err != nil {
		return nil, nil, err
	}
	details, err := server.Command(ctx).Result()
	if err != nil {
		return nil, nil, err
	}
	known := map[string]bool{}
	for _, name := range names {
		known[strings.ToLower(name)] = true
	}
	rules = slices.Clone(categories)
	reader = []string{"-@write"}
	for _, name := range unwriting {
		if known[name] {
			reader = append(reader, "-"+name)
		}
	}
	for _, c := range exceptions() {
		if known[c.name] {
			rules = append(rules, c.rule())
		}
	}
	judged := func(name string) bool {
		return slices.Contains(keyless, name) || slices.ContainsFunc(exceptions(), func(c command) bool { return c.name == name })
	}
	var doubtful []string
	for _, c := range details {
		touches := slices.Contains(c.ACLFlags, "@read") || slices.Contains(c.ACLFlags, "@write")
		hasKeys := c.FirstKeyPos != 0 || slices.Contains(c.Flags, "movablekeys")
		name := strings.ToLower(c.Name)
		if touches && !hasKeys && !judged(name) {
			doubtful = append(doubtful, "-"+name)
		}
		if slices.Contains(c.Flags, "write") {
			reader = append(reader, "-"+name) // whatever category it is in
		}
	}
	slices.Sort(doubtful)
	return append(rules, doubtful...), reader, nil
}

func (c command) rule() string {
	if c.allow {
		return "+" + c.name
	}
	return "-" + c.name
}

// channels are those that a workspace may use: its own, and what the server
// says about its own keys.
func channels(database string) []string {
	return []string{
		"resetchannels",
		"&" + workspace.ChannelPrefix(database) + "*",
		"&__keyspace@" + database + "__:*",
		"&__keyspace@" + database + "__:**", // as a text of its own, for the proxy's client-side caching
		"&__flushed@" + database + "__",     // where the proxy tells of FLUSHDB
		"&__keyevent@" + database + "__:*",
	}
}
