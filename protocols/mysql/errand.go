package mysql

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
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

var (
	errFileAsked  = errors.New("server asks for a file")
	errLongErrand = errors.New("it took too long")
)

// errand runs what needs no database, for a client that has chosen none: on a
// warm backend without one, as the role of a workspace that the client may
// choose. What the client set before is set there first, and the backend is
// reset before anybody else has it. The capabilities are the client's, or as good.
func (l *lobby) errand(ctx context.Context, c capabilities, run func(*backend) error) error {
	ctx, done := context.WithTimeout(ctx, l.protocol.patience)
	defer done()
	release, err := l.protocol.takeErrand(ctx)
	if err != nil {
		return err
	}
	defer release()
	b, key, route, err := l.borrow(ctx, c)
	if err != nil {
		return err
	}
	if err = b.setUp(ctx, l.startup); err == nil {
		err = b.within(ctx, run)
	}
	if err != nil {
		b.Close()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = errors.Join(errLongErrand, err, l.protocol.stop(b, key, route))
		}
		return fmt.Errorf("errand: %w", err)
	}
	l.protocol.give(key, b)
	return nil
}

// stop ends what the server still does for a backend that was closed: it would go
// on for as long as that takes, with no limit of any workspace.
func (p *Protocol) stop(b *backend, key poolKey, route workspace.Route) error {
	err := p.kill(key, route, fmt.Sprintf("KILL CONNECTION %d", b.id))
	if numberOf(err) == mysql.ER_NO_SUCH_THREAD {
		return nil // it has ended
	}
	return err
}

// takeErrand waits until there is room for one more errand.
func (p *Protocol) takeErrand(ctx context.Context) (release func(), err error) {
	select {
	case p.errands <- struct{}{}:
		return func() { <-p.errands }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// within runs what talks to the backend until ctx's deadline.
func (b *backend) within(ctx context.Context, run func(*backend) error) error {
	if deadline, bounded := ctx.Deadline(); bounded {
		if err := b.conn.SetDeadline(deadline); err != nil {
			return fmt.Errorf("set deadline: %w", err)
		}
	}
	if err := run(b); err != nil {
		return err
	}
	return b.conn.SetDeadline(time.Time{})
}

// borrow takes a backend without a database, of the first of the project's
// workspaces whose server can be reached, to which the route leads.
func (l *lobby) borrow(ctx context.Context, c capabilities) (*backend, poolKey, workspace.Route, error) {
	routes, err := l.protocol.config.Directory.Routes(ctx, workspace.MySQL, l.user)
	if err != nil {
		return nil, poolKey{}, workspace.Route{}, err
	}
	err = noneSelected()
	failed := map[string]bool{}
	for _, route := range routes {
		if failed[route.Address.Addr] {
			continue
		}
		route.Database = ""
		key := poolKey{route.Live.ID, route.Role, c, l.charset, true}
		var b *backend
		if b, err = l.protocol.open(ctx, key, route); err == nil {
			return b, key, route, nil
		}
		failed[route.Address.Addr] = true
	}
	return nil, poolKey{}, workspace.Route{}, err
}

// errandReply is what servers reply to a client's command, in packets for it.
type errandReply struct {
	packets  []byte
	sequence byte   // of the last
	failed   bool   // the last is an ERR
	status   uint16 // of the last result
}

// add reads the reply to the command that was sent last. Where another reply
// follows it for the client, its packets say so.
func (r *errandReply) add(b *backend, command byte, follows bool) error {
	src := bufio.NewReader(b.conn) // has nothing left where the reply ends
	t := track{capabilities: b.capabilities}
	t.owe(command)
	for {
		payload, _, err := readPacket(src, maxErrandReply-len(r.packets))
		if err != nil {
			return err
		}
		if len(payload) == 0 {
			return errMalformed
		}
		e := t.classify(payload[:min(len(payload), maxHead)], len(payload))
		if e.part == partFile {
			return errFileAsked
		}
		if follows && (e.part == partLast || t.phase == phaseBetween) {
			announceNext(payload, b.capabilities)
		}
		r.sequence++
		r.packets = appendPacket(r.packets, r.sequence, payload)
		switch r.failed = e.part == partFailure; {
		case r.failed:
			return nil
		case e.part == partLast:
			if at := statusAt(payload, b.capabilities); at < len(payload)-1 {
				r.status = binary.LittleEndian.Uint16(payload[at:])
			}
			return nil
		}
		t.phase, t.left = e.phase, e.left
	}
}

// statusAt is where an OK or EOF packet has the server's status.
func statusAt(payload []byte, c capabilities) int {
	if payload[0] == mysql.EOF_HEADER && !c.has(mysql.CLIENT_DEPRECATE_EOF) {
		return 1 + 2 // behind the header and the warnings
	}
	f := fields{b: payload[1:]}
	f.lenenc() // affected rows
	f.lenenc() // last insert id
	return len(payload) - len(f.b)
}

// announceNext has an OK or EOF packet say that another result follows.
func announceNext(payload []byte, c capabilities) {
	if at := statusAt(payload, c); at < len(payload) {
		payload[at] |= byte(mysql.SERVER_MORE_RESULTS_EXISTS)
	}
}

// ask sends a command, and adds its reply to r.
func (b *backend) ask(command []byte, r *errandReply) error {
	if _, err := b.conn.Write(appendPacket(nil, 0, command)); err != nil {
		return err
	}
	return r.add(b, command[0], false)
}

// askQuery is ask of a statement. Where follows, another one's reply comes next.
func (b *backend) askQuery(text string, r *errandReply, follows bool) error {
	if _, err := b.conn.Write(b.appendQuery(nil, text)); err != nil {
		return err
	}
	return r.add(b, mysql.COM_QUERY, follows)
}
