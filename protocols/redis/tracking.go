package redis

import (
	"fmt"
	"strings"
)

// Client-side caching (CLIENT TRACKING). The server's own keeps one table of
// names for all its databases, so that a client would hear of keys of the same
// name in other workspaces; a role may not use it. The proxy listens to the
// notifications of the workspace's own keys in its place, and makes the pushes
// of them: of every changed key, whether or not this client has read it, as
// BCAST has it. Nothing is notified of FLUSHDB, which the proxy therefore
// publishes itself.
//
// The pattern is one of its own, so that what comes by it is not taken for what
// the client listens to: ":**" matches what ":*" does.
func (c *channels) tracking() (changed, flushed string) {
	return c.keyspace + "**", "__flushed@" + strings.TrimSuffix(c.prefix, ":") + "__"
}

const (
	errTrackingOptions = "ERR CLIENT TRACKING with PREFIX or REDIRECT is not available in a workspace"
	errTrackingBoth    = "ERR You can't specify both OPTIN mode and OPTOUT mode"
	errTrackingRESP3   = "ERR CLIENT TRACKING needs RESP3 in a workspace: HELLO 3 comes first"
	errTrackingServer  = "ERR CLIENT TRACKING can't be turned on: the server's keyspace notifications (notify-keyspace-events KA) are off and can't be turned on now"
)

// trackingMode is what the client asked of its tracking.
type trackingMode struct {
	on     bool
	choice string // optin, optout or nothing
	bcast  bool
	noloop bool
}

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
		t.tell(b, q, ":0")
	case sub == "trackinginfo" && q.n == 2:
		t.tell(b, q, t.tracking.info())
	default:
		return r.pass(q)
	}
	return nil
}

// turnTracking turns tracking on or off.
func (r *relay) turnTracking(b []byte, q *request) error {
	t := &r.track
	mode, bad := parseTracking(q.args)
	switch {
	case bad != "":
		t.refuse(b, q, bad)
		return nil
	case t.multi:
		t.refuse(b, q, errInMulti)
		return nil
	case mode.on && !t.resp3:
		t.refuse(b, q, errTrackingRESP3)
		return nil
	case mode.on && !t.tracking.on:
		if err := r.askForNotifications(); err != nil {
			r.log.Warn("keyspace notifications not turned on", "workspace", r.live.Name, "error", err)
			t.refuse(b, q, errTrackingServer)
			return nil
		}
	}
	var out []byte
	if mode.on != t.tracking.on {
		out = r.listenForChanges(mode.on)
	}
	t.tracking = mode
	return r.put(b, q, append(out, statusOK...)...)
}

// parseTracking reads CLIENT TRACKING; bad is what is wrong with it.
func parseTracking(args [][]byte) (mode trackingMode, bad string) {
	if len(args) < 3 {
		return mode, wrongArguments("client|tracking")
	}
	mode.on = is(args[2], "on")
	if !mode.on && !is(args[2], "off") {
		return mode, errSyntax
	}
	for _, option := range args[3:] {
		choice := ""
		switch {
		case is(option, "prefix"), is(option, "redirect"):
			return mode, errTrackingOptions
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
	if !mode.on {
		mode = trackingMode{}
	}
	return mode, ""
}

// listenForChanges begins or ends to listen to the workspace's changes; the
// confirmations are not for the client.
func (r *relay) listenForChanges(on bool) []byte {
	t := &r.track
	t.lasting = true
	changed, flushed := r.channels.tracking()
	name := "PUNSUBSCRIBE"
	if on {
		name = "PSUBSCRIBE"
	}
	t.owing = append(t.owing, reply{kind: confirmed, n: 2, muted: true})
	return appendCommand(nil, name, changed, flushed)
}

// askForNotifications sees to it that the server tells of changed keys. They
// are turned on with the first client that needs them, as they cost every write
// a little.
func (r *relay) askForNotifications() error {
	const setting = "notify-keyspace-events"
	answers, err := r.askAdmin(appendCommand(nil, "CONFIG", "GET", setting), 1)
	if err != nil {
		return err
	}
	pair, _ := answers[0].([]any)
	if len(pair) != 2 {
		return errAnswer
	}
	kinds := fmt.Sprint(pair[1])
	if strings.Contains(kinds, "K") && strings.Contains(kinds, "A") {
		return nil
	}
	_, err = r.askAdmin(appendCommand(nil, "CONFIG", "SET", setting, kinds+"KA"), 1)
	return err
}

// info is TRACKINGINFO's answer in RESP3, without its last line end.
func (m *trackingMode) info() string {
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
	out := appendBulk(appendHeader(nil, '%', 3), "flags")
	out = appendHeader(out, '~', len(flags))
	for _, flag := range flags {
		out = appendBulk(out, flag)
	}
	out = appendHeader(appendBulk(out, "redirect"), ':', 0)
	return string(appendBulk(out, "prefixes")) + "*0"
}

// invalidation is the push for what came by one of tracking's patterns; nil for
// other patterns.
func (c *channels) invalidation(pattern, channel []byte) []byte {
	changed, flushed := c.tracking()
	out := appendBulk(appendHeader(nil, '>', 2), "invalidate")
	switch string(pattern) {
	case changed:
		return appendBulk(appendHeader(out, '*', 1), channel[min(len(c.keyspace), len(channel)):])
	case flushed:
		return append(out, "_\r\n"...)
	}
	return nil
}

// flushKeys empties the database, and says so to those who track its keys.
func (r *relay) flushKeys(b []byte, q *request) error {
	t := &r.track
	out := appendHeader(nil, '*', q.n)
	out = appendBulk(out, "FLUSHDB")
	for _, arg := range q.args[1:] {
		out = appendBulk(out, arg)
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
