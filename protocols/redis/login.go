package redis

import (
	"context"
	"slices"
	"strconv"

	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// decideAuth lets a client authenticate again, to the same workspace.
func (r *relay) decideAuth(b []byte, q *request) error {
	t := &r.track
	if q.n != 2 && q.n != 3 {
		return r.pass(q)
	}
	user, password := "", string(q.args[q.n-1])
	if q.n == 3 {
		user = string(q.args[1])
	}
	if !r.sameLogin(user, password) {
		t.refuse(b, q, errAnotherUser)
		return nil
	}
	return r.put(b, q, []byte(statusOK)...)
}

// decideHello takes the login out of HELLO, which is checked here.
func (r *relay) decideHello(b []byte, q *request) error {
	t := &r.track
	h, bad := parseHello(q.args)
	if bad != "" {
		t.refuse(b, q, bad[1:])
		return nil
	}
	if h.auth && !r.sameLogin(h.user, h.password) {
		t.refuse(b, q, errAnotherUser)
		return nil
	}
	if h.fails() {
		t.owe(reply{kind: passed})
		t.instead(b, q, h.append(nil)...)
		return nil
	}
	var before, behind []byte
	if h.version == 2 { // it has no pushes
		before = r.listenForChanges(false)
	}
	t.owe(reply{kind: greeted, text: strconv.Itoa(h.version)})
	if h.version != 0 {
		t.resp3 = h.version == 3
		behind = r.listenForChanges(t.tracking.pushes(t.resp3))
	}
	t.instead(b, q, append(h.append(before), behind...)...)
	return nil
}

// reset answers RESET, which would make the connection the server's default
// user's. What it undoes is undone one by one.
func (r *relay) reset(b []byte, q *request) {
	t := &r.track
	t.muted, t.watching = false, false // CLIENT REPLY SKIP is for RESET's own reply, too
	var out []byte
	silent := func(command []byte, owed reply) {
		owed.muted = true
		owed.n = max(owed.n, 1)
		t.owing = append(t.owing, owed)
		out = append(out, command...)
	}
	if t.multi {
		silent(discardCommand, reply{kind: swallowed})
	}
	t.tx.settle()
	t.multi, t.tx = false, transaction{}
	if t.lasting {
		silent(appendCommand(nil, "UNSUBSCRIBE"), reply{kind: confirmed, all: true})
		silent(appendCommand(nil, "SUNSUBSCRIBE"), reply{kind: confirmed, all: true})
		for _, pattern := range slices.Clone(t.patterns) {
			silent(r.dropPattern(pattern))
		}
		silent(appendCommand(nil, "CLIENT", "NO-TOUCH", "OFF"), reply{kind: swallowed})
	}
	silent(unwatchCommand, reply{kind: swallowed}) // which RESP2 takes from who listens to nothing only
	out = append(out, r.listenForChanges(false)...)
	if t.tracking.redirect != 0 {
		r.space.redirects.drop(r)
	}
	t.tracking = trackingMode{}
	silent(appendCommand(nil, "CLIENT", "SETNAME", ""), reply{kind: swallowed})
	if t.resp3 {
		silent(appendCommand(nil, "HELLO", "2"), reply{kind: greeted, text: "2"})
	}
	t.resp3 = false
	t.owe(reply{kind: replaced, text: "+RESET"})
	t.instead(b, q, append(out, marker...)...)
	t.args = 0
}

// sameLogin checks a login that must lead to where the session is, with its
// rights.
func (r *relay) sameLogin(user, password string) bool {
	ctx, done := context.WithTimeout(context.Background(), askTimeout)
	defer done()
	login, err := r.protocol.config.Directory.LoginByPassword(ctx, workspace.Redis, loginName(user), password)
	if err != nil {
		r.log.Warn("login not checked", "workspace", r.live.Name, "error", err)
		return false
	}
	if login.Known && login.Route.SameLogin(r.route) {
		return true
	}
	r.protocol.guard.Failed(ctx, r.front.RemoteAddr())
	return false
}
