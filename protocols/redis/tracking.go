package redis

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/redcon"
)

// Client-side caching (CLIENT TRACKING). The server's own keeps one table of
// names for all its databases, so that a client would hear of keys of the same
// name in other workspaces; a role may not use it. The proxy listens to the
// notifications of the workspace's own keys in its place, and makes the pushes
// of them: of every changed key, whether or not this client has read it, as
// BCAST has it. For REDIRECT see redirect.go. Nothing is notified of FLUSHDB, which the proxy therefore
// publishes itself.
//
// The pattern is one of its own, so that what comes by it is not taken for what
// the client listens to: ":**" matches what ":*" does.
func (c *channels) tracking() (changed, flushed string) {
	return c.keyspace + "**", "__flushed@" + strings.TrimSuffix(c.prefix, ":") + "__"
}

const (
	errTrackingRedirect = "ERR The client ID you want redirect to does not exist"
	errTrackingOnce     = "ERR A client can only redirect to a single other client"
	errTrackingEar      = "ERR CLIENT TRACKING can't be redirected now, try again; the proxy's log has the cause"
	errNotInteger       = "ERR value is not an integer or out of range"
	errTrackingBoth     = "ERR You can't specify both OPTIN mode and OPTOUT mode"
	errTrackingPrefix   = "ERR PREFIX option requires BCAST mode to be enabled"
	errTrackingBcast    = "ERR OPTIN and OPTOUT are not compatible with BCAST"
	errTrackingMode     = "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode."
	errTrackingChoice   = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode."
	errTrackingOverlap  = "ERR Prefix '%s' overlaps with %s prefix '%s'. Prefixes for a single client must not overlap."
	errTrackingMany     = "ERR a connection can't track more than 1024 prefixes"
	errTrackingServer   = "ERR CLIENT TRACKING can't be turned on: the server's keyspace notifications (notify-keyspace-events KEA) are off and can't be turned on now"
)

// trackingMode is what the client asked of its tracking.
type trackingMode struct {
	on     bool
	choice string // optin, optout or nothing
	bcast  bool
	noloop bool
	// prefixes are those of bcast, in byte order; the empty one is all keys.
	prefixes []string
	redirect int64  // the id of the session that is told of changes; 0: this one
	to       *relay // that session
	broken   bool   // it has gone
}

// pushes says whether the session itself is told of changes.
func (m *trackingMode) pushes(resp3 bool) bool { return m.on && m.redirect == 0 && resp3 }

// after is the mode with what was asked for before it; bad is why that can't be.
func (m trackingMode) after(before trackingMode) (mode trackingMode, bad string) {
	switch {
	case !m.on:
		return trackingMode{}, ""
	case before.on && m.bcast != before.bcast:
		return m, errTrackingMode
	case m.bcast && m.choice != "":
		return m, errTrackingBcast
	case before.on && m.choice != "" && before.choice != "" && m.choice != before.choice:
		return m, errTrackingChoice
	case len(m.prefixes) > 0 && !m.bcast:
		return m, errTrackingPrefix
	case len(m.prefixes)+len(before.prefixes) > maxPatterns:
		return m, errTrackingMany
	}
	for i, prefix := range m.prefixes {
		for _, other := range before.prefixes {
			if overlap(prefix, other) {
				return m, fmt.Sprintf(errTrackingOverlap, prefix, "an existing", other)
			}
		}
		for _, other := range m.prefixes[i+1:] {
			if overlap(prefix, other) {
				return m, fmt.Sprintf(errTrackingOverlap, prefix, "another provided", other)
			}
		}
	}
	m.prefixes = append(slices.Clone(before.prefixes), m.prefixes...)
	if m.bcast && len(m.prefixes) == 0 {
		m.prefixes = []string{""}
	}
	slices.Sort(m.prefixes)
	return m, ""
}

func overlap(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

// decideTracking answers CLIENT TRACKING, CACHING, GETREDIR and TRACKINGINFO.
func (r *relay) decideTracking(b []byte, q *request, sub string) error {
	t := &r.track
	switch {
	case sub == "tracking":
		return r.turnTracking(b, q)
	case !t.tracking.on || t.multi && sub != "caching":
		return r.pass(q) // the server tells of a client without tracking
	case sub == "caching" && q.n == 3 && (is(q.args[2], "yes") && t.tracking.choice == "optin" || is(q.args[2], "no") && t.tracking.choice == "optout"):
		if t.multi {
			return r.put(b, q, unwatchCommand...)
		}
		return r.put(b, q, []byte(statusOK)...)
	case sub == "getredir" && q.n == 2:
		t.tell(b, q, ":"+strconv.FormatInt(t.tracking.redirect, 10))
	case sub == "trackinginfo" && q.n == 2:
		mode := r.trackingNow()
		t.tell(b, q, mode.info(t.resp3))
	default:
		return r.pass(q)
	}
	return nil
}

// turnTracking turns tracking on or off.
func (r *relay) turnTracking(b []byte, q *request) error {
	t := &r.track
	mode, bad := parseTracking(q.args, r.space.redirects.find)
	if bad == "" {
		mode, bad = mode.after(t.tracking)
	}
	switch {
	case bad != "":
		t.refuse(b, q, bad)
		return nil
	case t.multi:
		t.refuse(b, q, errInMulti)
		return nil
	case mode.on && !t.tracking.on:
		if err := r.askForNotifications(); err != nil {
			r.log.Warn("keyspace notifications not turned on", "workspace", r.live.Name, "error", err)
			t.refuse(b, q, errTrackingServer)
			return nil
		}
	}
	if err := r.redirect(mode); err != nil {
		r.log.Warn("tracking not redirected", "workspace", r.live.Name, "error", err)
		t.refuse(b, q, errTrackingEar)
		return nil
	}
	out := r.listenForChanges(mode.pushes(t.resp3))
	t.tracking = mode
	t.owe(reply{kind: tracked, prefixes: mode.prefixes})
	t.instead(b, q, append(out, statusOK...)...)
	return nil
}

// redirect has another session told of what mode tracks, where it says so.
func (r *relay) redirect(mode trackingMode) error {
	if mode.redirect == 0 {
		if r.track.tracking.redirect != 0 {
			r.space.redirects.drop(r)
		}
		return nil
	}
	ctx, done := context.WithTimeout(context.Background(), askTimeout)
	defer done()
	return r.space.redirects.add(ctx, r, redirect{mode.redirect, mode.to, mode.prefixes})
}

// trackingNow is what the client asked of its tracking, and what became of it.
func (r *relay) trackingNow() trackingMode {
	mode := r.track.tracking
	if mode.redirect != 0 {
		r.mu.Lock()
		mode.broken = r.told.isBroken
		r.mu.Unlock()
	}
	return mode
}

// parseTracking reads CLIENT TRACKING; bad is what is wrong with it. find is the
// workspace's session with an id.
func parseTracking(args [][]byte, find func(id int64) *relay) (mode trackingMode, bad string) {
	if len(args) < 3 {
		return mode, wrongArguments("client|tracking")
	}
	for i := 3; i < len(args); i++ {
		option, choice := args[i], ""
		switch {
		case is(option, "prefix") && i+1 < len(args):
			i++
			mode.prefixes = append(mode.prefixes, string(args[i]))
		case is(option, "redirect") && i+1 < len(args):
			i++
			id, ok := number(args[i])
			switch {
			case mode.redirect != 0:
				return mode, errTrackingOnce
			case !ok:
				return mode, errNotInteger
			}
			if mode.redirect, mode.to = id, find(id); mode.to == nil {
				return mode, errTrackingRedirect
			}
		case is(option, "bcast"):
			mode.bcast = true
		case is(option, "noloop"):
			mode.noloop = true
		case is(option, "optin"):
			choice = "optin"
		case is(option, "optout"):
			choice = "optout"
		default:
			return mode, errSyntax
		}
		if choice != "" && mode.choice != "" && choice != mode.choice {
			return mode, errTrackingBoth
		}
		if choice != "" {
			mode.choice = choice
		}
	}
	mode.on = is(args[2], "on")
	if !mode.on && !is(args[2], "off") {
		return mode, errSyntax
	}
	return mode, ""
}

// listenForChanges begins or ends to listen to the workspace's changes on the
// session's backend; the confirmations are not for the client.
func (r *relay) listenForChanges(on bool) []byte {
	t := &r.track
	if on == t.listening {
		return nil
	}
	t.listening = on
	t.lasting = true
	changed, flushed := r.channels.tracking()
	name := "PUNSUBSCRIBE"
	if on {
		name = "PSUBSCRIBE"
	}
	t.owing = append(t.owing, reply{kind: confirmed, n: 2, muted: true})
	return appendCommand(nil, name, changed, flushed)
}

// notifications is what is asked of the server's: those by key and by event. All
// ask for both, since two who read the setting at the same time, at other proxies
// too, would else write over what the other one asked for.
const notifications = "KEA"

// askForNotifications sees to it that the server tells of changed keys. They
// are turned on with the first client that needs them, as they cost every write
// a little. The server is asked each time, since it tells nobody that it was
// configured anew.
func (r *relay) askForNotifications() error {
	const setting = "notify-keyspace-events"
	answer, err := r.askAdmin(appendCommand(nil, "CONFIG", "GET", setting))
	if err != nil {
		return err
	}
	pair, _ := answer.([]any)
	if len(pair) != 2 {
		return errAnswer
	}
	kinds := fmt.Sprint(pair[1])
	missing := strings.Map(func(kind rune) rune {
		if strings.ContainsRune(kinds, kind) {
			return -1
		}
		return kind
	}, notifications)
	if missing == "" {
		return nil
	}
	_, err = r.askAdmin(appendCommand(nil, "CONFIG", "SET", setting, kinds+missing))
	return err
}

// info is TRACKINGINFO's answer, without its last line end.
func (m *trackingMode) info(resp3 bool) string {
	flags := []string{"on"}
	if m.bcast {
		flags = append(flags, "bcast")
	}
	if m.choice != "" {
		flags = append(flags, m.choice)
	}
	if m.noloop {
		flags = append(flags, "noloop")
	}
	if m.broken {
		flags = append(flags, "broken_redirect")
	}
	fields, set := redcon.AppendArray(nil, 6), byte('*')
	if resp3 {
		fields, set = appendHeader(nil, '%', 3), '~'
	}
	out := redcon.AppendBulkString(fields, "flags")
	out = appendHeader(out, set, len(flags))
	for _, flag := range flags {
		out = redcon.AppendBulkString(out, flag)
	}
	out = redcon.AppendInt(redcon.AppendBulkString(out, "redirect"), m.redirect)
	out = redcon.AppendArray(redcon.AppendBulkString(out, "prefixes"), len(m.prefixes))
	for _, prefix := range m.prefixes {
		out = redcon.AppendBulkString(out, prefix)
	}
	return strings.TrimSuffix(string(out), "\r\n")
}

// invalidation is the push for what came by one of tracking's patterns: nothing
// for a key that has none of prefixes, where there are any. tracks is false for
// other patterns.
func (c *channels) invalidation(pattern, channel []byte, prefixes []string) (push []byte, tracks bool) {
	changed, flushed := c.tracking()
	out := appendInvalidation(nil, true)
	switch string(pattern) {
	case changed:
		key := channel[min(len(c.keyspace), len(channel)):]
		if isSign(key) {
			return nil, true
		}
		if len(prefixes) > 0 && !slices.ContainsFunc(prefixes, func(prefix string) bool { return bytes.HasPrefix(key, []byte(prefix)) }) {
			return nil, true
		}
		return redcon.AppendBulk(redcon.AppendArray(out, 1), key), true
	case flushed:
		return append(out, "_\r\n"...), true
	}
	return nil, false
}

// flushKeys empties the database, and says so to those who track its keys.
func (r *relay) flushKeys(b []byte, q *request) error {
	t := &r.track
	out := redcon.AppendArray(nil, q.n)
	out = redcon.AppendBulkString(out, "FLUSHDB")
	for _, arg := range q.args[1:] {
		out = redcon.AppendBulk(out, arg)
	}
	if err := r.put(b, q, out...); err != nil {
		return err
	}
	if t.multi {
		t.tx.element(true)
	}
	t.owe(reply{kind: swallowed})
	_, flushed := r.channels.tracking()
	t.suffix = appendCommand(t.suffix, "PUBLISH", flushed, "")
	return nil
}
