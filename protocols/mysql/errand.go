package mysql

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/tenantsdb/tenantsdb/internal/workspace"
)

// What bounds errands: how many are under way at once, how long one takes with
// all that it waits for, and how many bytes its reply has, which is held until
// the backend is given back: a client may be slow to read.
const (
	maxErrands     = 32
	errandTimeout  = 10 * time.Second
	maxErrandReply = 256 << 10
)

var errFileAsked = errors.New("server asks for a file")

// errand runs a command that needs no database, for a client that has chosen
// none: on a warm backend without one, as the role of a workspace that the
// client may choose. What the client set before is set there first, and the
// backend is reset before anybody else has it. The reply is the server's, in
// packets for the client; ok says that it is no error.
func (l *lobby) errand(ctx context.Context, command byte, text string) (reply []byte, ok bool, err error) {
	ctx, done := context.WithTimeout(ctx, errandTimeout)
	defer done()
	select {
	case l.protocol.errands <- struct{}{}:
		defer func() { <-l.protocol.errands }()
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	b, key, err := l.borrow(ctx)
	if err != nil {
		return nil, false, err
	}
	if err = b.setUp(ctx, l.remembered); err == nil {
		reply, ok, err = b.ask(ctx, command, text)
	}
	if err != nil {
		b.Close()
		return nil, false, fmt.Errorf("errand: %w", err)
	}
	l.protocol.give(key, b)
	return reply, ok, nil
}

// borrow takes a backend without a database, of the first of the project's
// workspaces whose server can be reached.
func (l *lobby) borrow(ctx context.Context) (*backend, poolKey, error) {
	routes, err := l.protocol.config.Directory.Routes(ctx, workspace.MySQL, l.user)
	if err != nil {
		return nil, poolKey{}, err
	}
	err = noneSelected()
	failed := map[string]bool{}
	for _, route := range routes {
		if failed[route.Address.Addr] {
			continue
		}
		route.Database = ""
		key := poolKey{route.Live.ID, route.Role, l.capabilities, l.charset, true}
		var b *backend
		if b, err = l.protocol.open(ctx, key, route); err == nil {
			return b, key, nil
		}
		failed[route.Address.Addr] = true
	}
	return nil, poolKey{}, err
}

// ask sends a COM_QUERY with its text, or a command without one, and reads the
// packets of its reply.
func (b *backend) ask(ctx context.Context, command byte, text string) (reply []byte, ok bool, err error) {
	if deadline, bounded := ctx.Deadline(); bounded {
		if err := b.conn.SetDeadline(deadline); err != nil {
			return nil, false, fmt.Errorf("set deadline: %w", err)
		}
	}
	packet := appendPacket(nil, 0, []byte{command})
	if command == mysql.COM_QUERY {
		packet = b.appendQuery(nil, text)
	}
	if _, err := b.conn.Write(packet); err != nil {
		return nil, false, err
	}
	src := bufio.NewReader(b.conn) // has nothing left where the reply ends
	t := track{capabilities: b.capabilities}
	t.owe(command)
	for {
		payload, sequence, err := readPacket(src, maxErrandReply-len(reply))
		if err != nil {
			return nil, false, err
		}
		if len(payload) == 0 {
			return nil, false, errMalformed
		}
		reply = appendPacket(reply, sequence, payload)
		e := t.classify(payload[:min(len(payload), maxHead)], len(payload))
		switch e.part {
		case partFile:
			return nil, false, errFileAsked
		case partLast, partFailure:
			return reply, e.part == partLast, b.conn.SetDeadline(time.Time{})
		}
		t.phase, t.left = e.phase, e.left
	}
}
