package redis

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
	"github.com/tidwall/redcon"
)

// Channels on the server carry a prefix, so that workspaces share none:
//
//	client                 server, database 7
//	news                   7:news
//	__keyspace@0__:k       __keyspace@7__:k
//	__keyevent@0__:set     __keyevent@7__:set
//
// A role may listen to its own prefix only, and Redis compares a pattern with
// what a role may as text: 7:* it may, 7:n* it may not. So the proxy listens to
// the whole prefix where a client listens to any pattern, and matches itself.
const (
	clientKeyspace = "__keyspace@0__:"
	clientKeyevent = "__keyevent@0__:"
)

const (
	// maxPattern bounds a pattern that is matched with many names.
	maxPattern = 1024
	// maxPatterns bounds what a message is matched with for one client.
	maxPatterns = 1024
)

// channels translates a workspace's channel names.
type channels struct {
	prefix   string // "7:"
	keyspace string // "__keyspace@7__:"
	keyevent string // "__keyevent@7__:"
}

func newChannels(database string) channels {
	return channels{
		prefix:   workspace.ChannelPrefix(database),
		keyspace: "__keyspace@" + database + "__:",
		keyevent: "__keyevent@" + database + "__:",
	}
}

// parts gives the server's name for the client's in two.
func (c *channels) parts(name []byte) (head string, rest []byte) {
	switch {
	case bytes.HasPrefix(name, []byte(clientKeyspace)):
		return c.keyspace, name[len(clientKeyspace):]
	case bytes.HasPrefix(name, []byte(clientKeyevent)):
		return c.keyevent, name[len(clientKeyevent):]
	}
	return c.prefix, name
}

// client gives the client's name for the server's; false where it is none of
// the workspace's.
func (c *channels) client(name []byte) (string, bool) {
	s := string(name)
	if rest, ok := strings.CutPrefix(s, c.prefix); ok {
		return rest, true
	}
	if rest, ok := strings.CutPrefix(s, c.keyspace); ok {
		return clientKeyspace + rest, true
	}
	if rest, ok := strings.CutPrefix(s, c.keyevent); ok {
		return clientKeyevent + rest, true
	}
	return "", false
}

// appendChannel encodes the server's name for the client's.
func (r *relay) appendChannel(dst, name []byte) []byte {
	head, rest := r.channels.parts(name)
	dst = appendHeader(dst, '$', len(head)+len(rest))
	dst = append(dst, head...)
	dst = append(dst, rest...)
	return append(dst, '\r', '\n')
}

// subscribe hands on SUBSCRIBE and its like with the server's names.
func (r *relay) subscribe(b []byte, q *request, name string) {
	t := &r.track
	t.lasting = true
	leaves := name == "unsubscribe" || name == "sunsubscribe"
	if q.n == 1 && !leaves {
		t.owe(reply{kind: passed}) // an error
		t.take(q)
		return
	}
	t.owe(reply{kind: confirmed, n: int32(max(q.n-1, 1)), all: q.n == 1})
	out := redcon.AppendArray(nil, q.n)
	out = redcon.AppendBulkString(out, name)
	if !leaves {
		r.expectNotifications(q.args[1:])
	}
	for _, channel := range q.args[1:] {
		out = r.appendChannel(out, channel)
	}
	t.instead(b, q, out...)
}

// expectNotifications turns the server's notifications on where one of channels,
// or of patterns, is for them: a client may not do so itself (CONFIG SET).
func (r *relay) expectNotifications(channels [][]byte) {
	wants := func(channel []byte) bool {
		return bytes.HasPrefix(channel, []byte("__keyspace@")) || bytes.HasPrefix(channel, []byte("__keyevent@")) || bytes.HasPrefix(channel, []byte("__key*"))
	}
	if !slices.ContainsFunc(channels, wants) {
		return
	}
	if err := r.askForNotifications(); err != nil {
		r.log.Warn("keyspace notifications not turned on", "workspace", r.live.Name, "error", err)
	}
}

// listen is the command that makes the server send what patterns may match,
// and how often it confirms. It can be repeated. wide is for patterns that may
// match the keyspace's channels.
func (r *relay) listen(name string, wide bool) (commandBytes []byte, confirmations int32) {
	if wide {
		return appendCommand(nil, name, r.channels.keyspace+"*", r.channels.keyevent+"*", r.channels.prefix+"*"), 3
	}
	return appendCommand(nil, name, r.channels.prefix+"*"), 1
}

// publish hands on PUBLISH and SPUBLISH.
func (r *relay) publish(b []byte, q *request, name string) {
	t := &r.track
	out := redcon.AppendArray(nil, 3)
	out = r.appendChannel(redcon.AppendBulkString(out, name), q.args[1])
	head, _ := r.channels.parts(q.args[1])
	byPattern := name == "publish" && head == r.channels.prefix
	switch {
	case byPattern && (t.multi || len(t.patterns) > 0 || r.space.listened()):
		t.oweTranslated(published(q.args[1]), nil)
	case t.multi:
		t.tx.element(false)
		t.owe(reply{kind: passed})
	default:
		t.owe(reply{kind: passed})
	}
	t.instead(b, q, out...)
}

// published is a channel, in whose PUBLISH's reply the client gets the count of
// who heard as Redis counts.
type published string

// translate makes the server's count the client's.
func (p published) translate(r *relay, b []byte, pos int) (done bool, size, need, limit int, err error) {
	if b[pos] != ':' {
		return false, 0, 0, 0, nil
	}
	n, size, err := integer(b[pos:])
	if err != nil {
		return true, 0, 0, maxHeld, err
	}
	r.replies.put(b, pos, size, redcon.AppendInt(nil, r.space.receivers(n, string(p)))...)
	r.valueDone()
	return true, size, 0, 0, nil
}

// isWide says whether pattern may match a channel of the keyspace.
func isWide(pattern string) bool {
	literal := pattern[:literalPrefix(pattern)]
	for _, channel := range []string{clientKeyspace, clientKeyevent} {
		if strings.HasPrefix(channel, literal) || strings.HasPrefix(literal, channel) {
			return true
		}
	}
	return false
}

// subscribePatterns listens for the client's patterns.
func (r *relay) subscribePatterns(b []byte, q *request) {
	t := &r.track
	t.lasting = true
	if q.n == 1 {
		t.owe(reply{kind: passed}) // an error
		t.take(q)
		return
	}
	for _, arg := range q.args[1:] {
		if len(arg) > maxPattern {
			t.refuse(b, q, errLongPattern)
			return
		}
	}
	if len(t.patterns)+q.n-1 > maxPatterns {
		t.refuse(b, q, errManyPatterns)
		return
	}
	r.expectNotifications(q.args[1:])
	var out []byte
	for _, arg := range q.args[1:] {
		pattern := string(arg)
		if !slices.Contains(t.patterns, pattern) {
			t.patterns = append(t.patterns, pattern)
		}
		t.wide = t.wide || isWide(pattern)
		listen, n := r.listen("PSUBSCRIBE", t.wide)
		t.owe(reply{kind: confirmed, n: n, pattern: &listener{pattern: pattern}})
		out = append(out, listen...)
	}
	t.instead(b, q, out...)
}

// unsubscribePatterns is its reverse.
func (r *relay) unsubscribePatterns(b []byte, q *request) {
	t := &r.track
	var patterns []string
	for _, arg := range q.args[1:] {
		patterns = append(patterns, string(arg))
	}
	if q.n == 1 {
		patterns = slices.Clone(t.patterns)
	}
	if len(patterns) == 0 && t.listening {
		// The server must not take it for all patterns, tracking's among them.
		t.owe(reply{kind: confirmed, pattern: &listener{nameless: true, leaves: true}})
		t.instead(b, q, appendCommand(nil, "PUNSUBSCRIBE", r.channels.prefix)...)
		return
	}
	if len(patterns) == 0 {
		t.owe(reply{kind: confirmed})
		t.take(q)
		return
	}
	var out []byte
	for _, pattern := range patterns {
		stop, owed := r.dropPattern(pattern)
		t.owe(owed)
		out = append(out, stop...)
	}
	t.instead(b, q, out...)
}

// dropPattern forgets a pattern. With the last one the server has no more to
// send; before that, the command only makes it confirm in its place.
func (r *relay) dropPattern(pattern string) (commandBytes []byte, owed reply) {
	t := &r.track
	t.patterns = slices.DeleteFunc(t.patterns, func(p string) bool { return p == pattern })
	name := "PSUBSCRIBE"
	if len(t.patterns) == 0 {
		name = "PUNSUBSCRIBE"
	}
	commandBytes, n := r.listen(name, t.wide)
	if len(t.patterns) == 0 {
		t.wide = false
	}
	return commandBytes, reply{kind: confirmed, n: n, pattern: &listener{pattern: pattern, leaves: true}}
}

// listener is a client's pattern on its way to be listened to, or not any more.
type listener struct {
	pattern  string
	leaves   bool
	nameless bool // it stands for none, in RESP3
}

// decidePubsub answers PUBSUB, which a role may not ask because the server's own
// answer shows the channels of every workspace.
func (r *relay) decidePubsub(b []byte, q *request, sub string) error {
	t := &r.track
	if err := r.inTurn(b, q); err != nil {
		return err
	}
	ask := redcon.AppendArray(nil, q.n)
	ask = redcon.AppendBulkString(redcon.AppendBulkString(ask, "PUBSUB"), sub)
	switch {
	case sub == "numpat" && q.n == 2:
		t.tell(b, q, ":"+strconv.Itoa(r.space.count()))
		return nil
	case (sub == "channels" || sub == "shardchannels") && q.n <= 3:
		pattern := []byte("*")
		if q.n == 3 {
			pattern = q.args[2]
		}
		if len(pattern) > maxPattern {
			t.refuse(b, q, errLongPattern)
			return nil
		}
		ask = appendCommand(nil, "PUBSUB", sub, r.channels.prefix+string(pattern))
	case sub == "numsub" || sub == "shardnumsub":
		for _, channel := range q.args[2:] {
			ask = r.appendChannel(ask, channel)
		}
	default:
		t.refuse(b, q, wrongArguments("pubsub|"+sub))
		return nil
	}
	answer, err := r.askAdmin(ask)
	if err != nil {
		r.log.Warn("channels not read", "workspace", r.live.Name, "error", err)
		t.refuse(b, q, "ERR PUBSUB can't be answered now, try again")
		return nil
	}
	t.tell(b, q, r.channels.listing(answer))
	return nil
}

// listing encodes an answer of PUBSUB with the client's names, without its last
// line end.
func (c *channels) listing(answer any) string {
	items, _ := answer.([]any)
	out := redcon.AppendArray(nil, len(items))
	for _, item := range items {
		switch v := item.(type) {
		case string:
			name, _ := c.client([]byte(v))
			out = redcon.AppendBulkString(out, name)
		case int64:
			out = redcon.AppendInt(out, v)
		}
	}
	return string(bytes.TrimSuffix(out, []byte("\r\n")))
}

// heard is what the backend's direction knows of subscriptions, from the
// server's confirmations.
type heard struct {
	subscribed int64    // channels and patterns, as the server counts
	sharded    int64    // shard channels
	server     []string // the proxy's own patterns at the server
	patterns   []string // the client's
	prefixes   []string // of the keys that the client tracks; none are all
}

// counted is the server's count as the client's.
func (h *heard) counted(n int64) int64 {
	return n - int64(len(h.server)) + int64(len(h.patterns))
}

// listens says whether the client listens to anything.
func (h *heard) listens() bool { return h.counted(h.subscribed)+h.sharded > 0 }

// matching are the client's patterns that match channel.
func (h *heard) matching(channel string) []string {
	var patterns []string
	for _, p := range h.patterns {
		if match([]byte(p), []byte(channel)) {
			patterns = append(patterns, p)
		}
	}
	return patterns
}

// noteServer follows the proxy's own patterns.
func (h *heard) noteServer(pattern string, leaves bool) {
	i := slices.Index(h.server, pattern)
	switch {
	case leaves && i >= 0:
		h.server = slices.Delete(h.server, i, i+1)
	case !leaves && i < 0:
		h.server = append(h.server, pattern)
	}
}

// note follows the client's patterns.
func (h *heard) note(s *space, l *listener) {
	i := slices.Index(h.patterns, l.pattern)
	switch {
	case l.leaves && i >= 0:
		h.patterns = slices.Delete(h.patterns, i, i+1)
		s.listen(l.pattern, -1, -h.ifFirst(0))
	case !l.leaves && i < 0:
		h.patterns = append(h.patterns, l.pattern)
		s.listen(l.pattern, 1, h.ifFirst(1))
	}
}

// ifFirst is 1 where the client has n patterns, and else 0.
func (h *heard) ifFirst(n int) int {
	if len(h.patterns) == n {
		return 1
	}
	return 0
}

// leave forgets all of them.
func (h *heard) leave(s *space) {
	for len(h.patterns) > 0 {
		h.note(s, &listener{pattern: h.patterns[0], leaves: true})
	}
}
