package redis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	window "github.com/tenantsdb/tenantsdb/protocols/internal/relay"
	"github.com/tidwall/redcon"
)

// Tracking with REDIRECT: changed keys are told to another session, in RESP2 as
// messages of invalidationChannel while it listens to anything. The one who
// tracks may speak RESP2, where a connection that listens can do nothing else.
// So the proxy listens for all of a workspace's that redirect, on one connection
// of the workspace's role.

// invalidationChannel is where RESP2 has invalidations.
const invalidationChannel = "__redis__:invalidate"

// maxTold bounds the keys that wait to be told to a session. Beyond it the
// session is told that all have changed, which is true of each of them.
const maxTold = 1 << 20

// redirects is which sessions a workspace has, and whom they have told of
// changed keys. No session's mu is held while opening or mu is taken.
type redirects struct {
	opening sync.Mutex // held while ear is opened

	mu       sync.Mutex
	sessions map[int64]*relay // by what CLIENT ID tells
	trackers map[*relay]redirect
	ear      net.Conn // hears of changes; nil while nobody redirects
	closed   bool
	event    uint64 // the number of the last one heard
}

// redirect is whom a session has told of which keys.
type redirect struct {
	id       int64 // as the client gave it
	to       *relay
	prefixes []string // of the keys; none are all
}

// wants says whether the keys with redirect's prefixes have key among them.
func (d *redirect) wants(key string) bool {
	return len(d.prefixes) == 0 || slices.ContainsFunc(d.prefixes, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}

// enter makes a session one that others may redirect to.
func (d *redirects) enter(r *relay) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sessions == nil {
		d.sessions, d.trackers = make(map[int64]*relay), make(map[*relay]redirect)
	}
	d.sessions[r.back.id] = r
}

// leave ends that, and what it redirected. aimed says that others redirected to
// it: no later session may have its id.
func (d *redirects) leave(r *relay) (aimed bool) {
	d.drop(r)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sessions[r.back.id] == r {
		delete(d.sessions, r.back.id)
	}
	return r.aim.taken
}

// find is the session of the workspace with an id; nil where there is none.
func (d *redirects) find(id int64) *relay {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sessions[id]
}

// add redirects what r tracks. Every change from then on is told.
func (d *redirects) add(ctx context.Context, r *relay, to redirect) error {
	d.opening.Lock()
	defer d.opening.Unlock()
	if d.addOpen(r, to) {
		return nil
	}
	conn, in, err := r.openEar(ctx)
	if err != nil {
		return fmt.Errorf("listen to changed keys: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		conn.Close()
		return net.ErrClosed
	}
	d.ear = conn
	d.set(r, to)
	go d.listen(conn, in, r.channels, r.log)
	return nil
}

// addOpen is add where the ear is open.
func (d *redirects) addOpen(r *relay, to redirect) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ear == nil {
		return false
	}
	d.set(r, to)
	return true
}

// set notes a redirect, for who holds mu.
func (d *redirects) set(r *relay, to redirect) {
	d.trackers[r] = to
	to.to.aim.taken = true
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told.isBroken, r.told.broken = false, 0
}

// drop ends what r redirects, and with the last of them the listening.
func (d *redirects) drop(r *relay) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.trackers, r)
	if len(d.trackers) == 0 && d.ear != nil {
		d.ear.Close()
		d.ear = nil
	}
}

// close ends the listening for good.
func (d *redirects) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.ear != nil {
		d.ear.Close()
		d.ear = nil
	}
}

// openEar connects to the server as the workspace's role, and listens to its
// changes.
func (r *relay) openEar(ctx context.Context) (net.Conn, *bufio.Reader, error) {
	b, err := r.protocol.dial(ctx, r.route)
	if err != nil {
		return nil, nil, err
	}
	changed, flushed := r.channels.tracking()
	a := asker{b.conn, bufio.NewReader(b.conn)}
	if _, err = a.ask(appendCommand(nil, "PSUBSCRIBE", changed, flushed), 2); err == nil {
		err = b.conn.SetDeadline(time.Time{})
	}
	if err != nil {
		b.conn.Close()
		return nil, nil, err
	}
	return b.conn, a.in, nil
}

// listen tells of what the ear hears, until it is closed.
func (d *redirects) listen(ear net.Conn, in *bufio.Reader, c channels, log *slog.Logger) {
	err := window.Contain(func() error {
		for {
			message, err := readAnswer(in)
			if err != nil {
				return err
			}
			d.heard(&c, message)
		}
	}, func() {})
	if d.deafen(ear) {
		log.Warn("changed keys not heard of any more", "error", err)
	}
}

// heard tells those who want to know of what the ear heard.
func (d *redirects) heard(c *channels, message any) {
	parts, _ := message.([]any)
	if len(parts) != 4 {
		return
	}
	pattern, _ := parts[1].(string)
	channel, _ := parts[2].(string)
	_, flushed := c.tracking()
	all, key := pattern == flushed, channel[min(len(c.keyspace), len(channel)):]
	if isSign(key) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.event++
	for tracker, to := range d.trackers {
		switch {
		case !all && !to.wants(key):
		case d.sessions[to.id] != to.to:
			tracker.tellBroken(to.id)
		case to.to.aim.event < d.event: // once, for all who redirect to it
			to.to.aim.event = d.event
			to.to.tell(key, all)
		}
	}
}

// deafen ends the sessions that are told of changes, since they miss some from
// here on: their clients forget what they keep, as with a connection to the
// server that is lost. It is false where the ear was closed on purpose.
func (d *redirects) deafen(ear net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ear != ear {
		return false
	}
	d.ear.Close()
	d.ear = nil
	for tracker, to := range d.trackers {
		tracker.tellBroken(to.id)
		to.to.abandon()
	}
	clear(d.trackers)
	return true
}

// aim is what the redirects know of a session, under their mu.
type aim struct {
	taken bool   // others have redirected to it
	event uint64 // the last one that it was told of
}

// told is what a session is to be told between two replies, and is not in its
// stream yet: by others who redirect to it, or by its own backend.
type told struct {
	any    bool
	all    bool // keys changed
	keys   []string
	size   int    // of keys
	later  []byte // pushes that the server sent within a reply
	broken int64  // the id of whom the session told of its keys, who has gone

	isBroken bool // so it was, whether or not it is in the stream
	roused   bool // a read of the backend was ended for what was told
}

// tell notes that key has changed, or all have.
func (r *relay) tell(key string, all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.told
	s.size += len(key) + 16
	switch {
	case s.all:
	case all || s.size > maxTold:
		s.all, s.keys = true, nil
	default:
		s.keys = append(s.keys, key)
	}
	r.rouse()
}

// tellBroken notes that who is told of the session's keys has gone.
func (r *relay) tellBroken(id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told.broken, r.told.isBroken = id, true
	r.rouse()
}

// abandon ends the session as if its backend were gone.
func (r *relay) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.life.End(window.ErrBackendGone)
	r.life.Interrupt()
}

// rouse ends a read of the backend for what was told, for who holds mu.
func (r *relay) rouse() {
	r.told.any = true
	if r.life.Ending() {
		return // the deadlines are others', and replies still owed bring it along
	}
	r.told.roused = true
	_ = r.back.conn.SetReadDeadline(window.Past)
}

// isRoused says whether reading the backend ended for rouse's sake alone, so
// that it goes on.
func (r *relay) isRoused(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.told.roused {
		return false
	}
	r.told.roused = false
	if r.life.Left() || r.stopping() {
		return true // if the deadline is another's, it ends the next read, too
	}
	return r.back.conn.SetReadDeadline(time.Time{}) == nil
}

// deliver puts what was told into the stream, at pos between two values. In
// RESP2 it is for those who listen to something, as Redis has it.
func (r *relay) deliver(b []byte, pos int) {
	s, news := &r.replies, r.told
	r.told = told{isBroken: news.isBroken, roused: news.roused}
	s.cut(b, pos)
	if news.broken != 0 && s.resp3 {
		s.out = redcon.AppendBulkString(appendHeader(s.out, '>', 2), "tracking-redir-broken")
		s.out = redcon.AppendInt(s.out, news.broken)
	}
	s.out = append(s.out, news.later...)
	if !s.resp3 && !s.heard.listens() {
		return
	}
	if news.all {
		s.out = append(appendInvalidation(s.out, s.resp3), null(s.resp3)...)
	}
	for _, key := range news.keys {
		s.out = redcon.AppendBulkString(redcon.AppendArray(appendInvalidation(s.out, s.resp3), 1), key)
	}
}

// appendInvalidation begins what tells of changed keys, which follow.
func appendInvalidation(dst []byte, resp3 bool) []byte {
	if resp3 {
		return redcon.AppendBulkString(appendHeader(dst, '>', 2), "invalidate")
	}
	return redcon.AppendBulkString(redcon.AppendBulkString(redcon.AppendArray(dst, 3), "message"), invalidationChannel)
}

func null(resp3 bool) string {
	if resp3 {
		return "_\r\n"
	}
	return "$-1\r\n"
}
